"""Any sentence-transformers model, by name or local path (`local` extra)."""

from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from llmops.adapters.hf_tokenizer import encodable
from llmops.adapters.sentence_transformers_models import check_extra, loaded, source
from llmops.domain.errors import LlmopsError
from llmops.domain.ports import Tokenizer

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

ASSUMED_WINDOW = 512
"""Tokens, for a model that declares no window."""


class SentenceTransformersEmbedder:
    """Implements `Embedder`.

    `identity` holds the name; for a local path it holds the content of the folder, so that new weights under an old path
    are another model. A hub name is taken as fixed: name a local copy where the hub's revision may move.
    """

    costly = True

    def __init__(
        self,
        name: str,
        *,
        batch_size: int = 32,
        device: str | None = None,
        normalise: bool = True,
        prefixes: tuple[str, str] = ("", ""),
    ) -> None:
        """Check that the extra is there; the model is loaded when it is first needed.

        Args:
            name: a hub name such as `BAAI/bge-small-en-v1.5`, or a folder.
            batch_size: texts in one forward pass.
            device: as torch names it; default: a GPU if there is one.
            normalise: scale vectors to length 1. The port promises that; switch it off only for a model that does it itself.
            prefixes: put in front of queries and of documents.

        Raises:
            MissingExtra: sentence-transformers is not installed.
        """
        check_extra(f"Embedder {name!r}")
        self._name = name
        self._batch_size = batch_size
        self._device = device
        self._normalise = normalise
        self._query_prefix, self._document_prefix = prefixes
        self.identity = "|".join((f"sentence-transformers:{source(name)}", str(normalise), *prefixes))
        self._model: Any = None
        self._lock = Lock()

    def _own_dimensions(self) -> int:
        """As the port; loads the model."""
        model = self._load()
        # Version 6 renamed it.
        ask = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
        return int(ask())

    def _window(self) -> int:
        """As the port; loads the model."""
        return int(self._load().max_seq_length or ASSUMED_WINDOW)

    def _own_tokenizer(self) -> Tokenizer:
        """As the port; loads the model."""
        return SentenceTransformersTokenizer(self._load().tokenizer)

    # Assigned, not decorated: the port's attributes are variables, and these are, once the model is loaded.
    dimensions = cached_property(_own_dimensions)
    max_tokens = cached_property(_window)
    tokenizer = cached_property(_own_tokenizer)

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As the port, with the document prefix.

        Raises:
            LlmopsError: the model cannot be loaded.
        """
        return self._encode(texts, self._document_prefix)

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        """As `embed`, with the query prefix."""
        return self._encode(texts, self._query_prefix)

    def _encode(self, texts: Sequence[str], prefix: str) -> "NDArray[float32]":
        import numpy as np

        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        vectors: NDArray[float32] = self._load().encode(
            [prefix + encodable(text) for text in texts],
            # Without a prompt the model's default prompt, if it has one, would be put in front of ours.
            prompt="",
            batch_size=self._batch_size,
            normalize_embeddings=self._normalise,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.asarray(vectors, np.float32)

    def _load(self) -> Any:  # noqa: ANN401 -- an untyped vendor object
        with self._lock:
            if self._model is None:
                self._model = loaded("Embedder", "SentenceTransformer", self._name, self._device)
            return self._model


class SentenceTransformersTokenizer:
    """Implements `Tokenizer` over a transformers tokenizer; nothing is truncated."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 -- an untyped vendor object
        self._tokenizer = tokenizer

    def count(self, text: str) -> int:
        """As the port."""
        return len(self._encoded(text, offsets=False)["input_ids"])

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """As the port.

        Raises:
            LlmopsError: the model has only a slow tokenizer, which knows no offsets.
        """
        try:
            spans = self._encoded(text, offsets=True)["offset_mapping"]
        except NotImplementedError as error:
            raise LlmopsError(
                "This model's tokenizer cannot say where a token stands.", hint="Choose a model that ships a tokenizer.json."
            ) from error
        return [(int(start), int(end)) for start, end in spans]

    def _encoded(self, text: str, *, offsets: bool) -> Any:  # noqa: ANN401 -- an untyped vendor object
        return self._tokenizer(
            encodable(text),
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_offsets_mapping=offsets,
            verbose=False,
        )
