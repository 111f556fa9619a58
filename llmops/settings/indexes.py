"""The indexes of llmops.yaml: corpus, chunker, embedder and vector store."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llmops.settings.addresses import Address
from llmops.settings.retrieval import RetrieveSettings
from llmops.settings.validation import Amount, InsidePath, Name, Positive, Strict


class CorpusSettings(Strict):
    """Where documents come from; exactly one of `paths`, `beir`, `jsonl`, `csv`."""

    paths: list[InsidePath] | None = None
    """Globs, relative to the project root."""
    exclude: list[InsidePath] = Field(default_factory=list)
    beir: str | None = None
    """A folder with `corpus.jsonl`."""
    jsonl: str | None = None
    csv: str | None = None
    """A file whose first line names its columns."""
    text: str = "text"
    """Field of a row that holds the text."""
    id: str = "id"
    """Field of a row that holds the id."""
    metadata: list[str] = Field(default_factory=list)
    """Fields of a row that `retrieve.where` may ask for."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.paths, self.beir, self.jsonl, self.csv)) != 1:
            raise ValueError("needs exactly one of `paths`, `beir`, `jsonl`, `csv`")
        if self.metadata and self.paths is not None:
            raise ValueError("`metadata` names fields of rows, which `paths` do not have")
        return self


class ChunkerSettings(Strict):
    """How documents are cut."""

    kind: Literal["markdown", "tokens", "sentences", "recursive", "semantic", "code"] = "markdown"
    max_tokens: Annotated[int, Field(gt=0, le=8192)] = 240
    """Tokens of the embedder, heading prefix and special tokens included."""
    overlap: Annotated[int, Field(ge=0)] = 32
    """Tokens that neighbouring chunks share."""
    heading_prefix: bool = True
    """Put the heading path in front of a chunk's text."""

    @model_validator(mode="after")
    def _overlap_below(self) -> Self:
        if self.overlap >= self.max_tokens:
            raise ValueError(f"`overlap` {self.overlap} should be below `max_tokens` {self.max_tokens}")
        return self


class EmbedderPriceSettings(Strict):
    """What a hosted embedder costs: per token, or per hour of the machine."""

    input_per_million: Amount | None = None
    usd_per_hour: Amount | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.input_per_million is None) is (self.usd_per_hour is None):
            raise ValueError("needs either `input_per_million` or `usd_per_hour`")
        return self


class EmbedderSettings(Strict):
    """What turns text into vectors."""

    kind: Literal["minilm", "static", "sentence-transformers", "litellm"] = "minilm"
    name: str | None = None
    """Model name or local path, for `sentence-transformers` and `litellm`."""
    api_base: Address | None = None
    batch_size: Positive = 32
    query_prefix: str = ""
    document_prefix: str = ""
    price: EmbedderPriceSettings | None = Field(default=None, exclude=True)
    """Of kind `litellm`; default: LiteLLM's table. Changes no vector, so it is no part of what identifies one."""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.kind in ("sentence-transformers", "litellm") and not self.name:
            raise ValueError(f"needs `name` for kind {self.kind!r}")
        if self.kind != "litellm" and self.price is not None:
            raise ValueError(f"has a `price`, which kind {self.kind!r} does not take: it costs nothing")
        return self


class VectorStoreSettings(Strict):
    """Where Chroma keeps the vectors: a folder, or a server."""

    kind: Literal["chroma"] = "chroma"
    path: InsidePath = ".llmops/chroma"
    url: Address | None = None
    namespace: Name | None = None
    """In front of the names of collections: projects that share a server and have an index of one name need one each."""


class IndexSettings(Strict):
    """One corpus, cut, embedded and searchable."""

    corpus: CorpusSettings
    chunker: ChunkerSettings = ChunkerSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    store: VectorStoreSettings = VectorStoreSettings()
    retrieve: RetrieveSettings = RetrieveSettings()

    @model_validator(mode="after")
    def _room_for_a_hit(self) -> Self:
        room = self.retrieve.max_tokens
        if room is not None and room < self.chunker.max_tokens:
            raise ValueError(
                f"`retrieve.max_tokens` {room} is below `chunker.max_tokens` {self.chunker.max_tokens}: no hit may fit"
            )
        return self
