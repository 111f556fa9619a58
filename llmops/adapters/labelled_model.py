"""A classifier of transformers (`local` extra) that says of its texts, pairs of texts or tokens what its labels mean."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops.adapters.hf_tokenizer import encodable
from llmops.adapters.onnx_session import batches
from llmops.adapters.sentence_transformers_models import opened
from llmops.domain.errors import UsageError
from llmops.domain.records import record
from llmops.scoring.labels import NONE, NOT_FOUND, SUPPORTED, meanings

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

BATCH_SIZE = 16
LONGEST = 4096
"""Tokens in one pass at most, however long a model could read."""
ASSUMED_WINDOW = 512
HHEM = "HHEMv2"
"""Vectara's HHEM 2 is a T5 token classifier read at its first token, behind code of its own; it is built here instead."""


@record
class Reading:
    """What the model says of one text or pair."""

    chances: "NDArray[float32]"
    """Probability by label: shape (labels,), or (tokens, labels) of a token classifier."""
    offsets: tuple[tuple[int, int], ...] = ()
    """Of a token classifier: characters of each token of the second text."""


class LabelledModel:
    """A tokenizer, a classifier, and the meaning of each of its labels."""

    def __init__(self, kind: str, name: str, declared: Mapping[str, str]) -> None:
        """Load it; code that comes with a model is never run, and weights are read from safetensors only.

        Raises:
            UsageError: the model is no classifier, or nobody says what its labels mean.
            LlmopsError: it cannot be loaded.
        """
        what = f"Backend 'local:{name}'"
        self.template, self._tokenizer, self._model = opened("Backend", f"{name}", lambda: _parts(name, what))
        if not self._tokenizer.is_fast:
            raise UsageError(
                f"{what}: its tokenizer cannot say where a token stands.", hint="Choose one with a tokenizer.json."
            )
        labels = [str(self._model.config.id2label[number]) for number in range(self._model.config.num_labels)]
        found = meanings(kind, name, labels, declared)
        unsaid = [label for label, meaning in zip(labels, found, strict=True) if meaning is None]
        unknown = sorted(set(declared) - set(labels))
        if unknown or unsaid:
            told = f"has no label {unknown[0]!r}" if unknown else f"says nothing about what its label {unsaid[0]!r} means"
            raise UsageError(f"{what} {told}.", hint=f"Declare them under `labels`; the model has: {', '.join(labels)}.")
        self.meanings = [str(meaning) for meaning in found]
        self.by_token = type(self._model).__name__.endswith("ForTokenClassification") and not self.template
        several = self._model.config.problem_type == "multi_label_classification"
        self._independent = several or len(labels) == 1 or (kind == "toxicity" and NONE not in self.meanings)
        self.window = _window(self._tokenizer, self._model.config)

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._tokenizer(encodable(text), add_special_tokens=False, verbose=False)["input_ids"])

    def read(self, firsts: Sequence[str], seconds: Sequence[str] | None = None) -> list[Reading]:
        """The reading of each text, or of each pair; a first text that is too long for the window is cut."""
        encoded = [self._encoded(first, None if seconds is None else seconds[n]) for n, first in enumerate(firsts)]
        found: list[Reading | None] = [None] * len(encoded)
        for batch in batches([len(each["input_ids"]) for each in encoded], BATCH_SIZE):
            chances = self._chances([encoded[number] for number in batch])
            for row, number in enumerate(batch):
                found[number] = self._reading(chances[row], encoded[number])
        return [reading for reading in found if reading is not None]

    def _encoded(self, first: str, second: str | None) -> Any:  # noqa: ANN401 -- an untyped vendor object
        texts = [encodable(first)] if second is None else [encodable(first), encodable(second)]
        if self.template:
            texts = [self.template.format(text1=texts[0], text2=texts[-1])]
        cut = "longest_first" if len(texts) == 1 else "only_first"
        return self._tokenizer(*texts, truncation=cut, max_length=self.window, return_offsets_mapping=True, verbose=False)

    def _chances(self, batch: Sequence[Any]) -> "NDArray[float32]":
        import torch

        names = [name for name in self._tokenizer.model_input_names if name in batch[0]]
        padded = self._tokenizer.pad([{name: each[name] for name in names} for each in batch], return_tensors="pt")
        with torch.inference_mode():
            logits = self._model(**padded.to(self._model.device)).logits.float().cpu()
        if self.template:
            logits = logits[:, 0]
        return (torch.sigmoid(logits) if self._independent else torch.softmax(logits, -1)).numpy()  # type: ignore[no-any-return]

    def _reading(self, chances: "NDArray[float32]", encoded: Any) -> Reading:  # noqa: ANN401 -- an untyped vendor object
        if not self.by_token:
            return Reading(chances)
        own = [number for number, sequence in enumerate(encoded.sequence_ids()) if sequence == 1]
        return Reading(chances[own], tuple(encoded["offset_mapping"][number] for number in own))


def faulty(model: LabelledModel, chances: "NDArray[float32]") -> "NDArray[float32]":
    """Probability of the fault from those of the labels, which are the last axis."""
    sound = [number for number, meaning in enumerate(model.meanings) if meaning in (SUPPORTED, NONE)]
    wrong = [number for number in range(len(model.meanings)) if number not in sound]
    found: NDArray[float32] = 1 - chances[..., sound].max(-1) if sound else chances[..., wrong].max(-1)
    return found


def _parts(name: str, what: str) -> tuple[str, Any, Any]:
    """The template of its pairs, if it has one, its tokenizer and the model, ready to be asked."""
    import torch
    import transformers
    from transformers.utils import cached_file

    raw = json.loads(Path(cached_file(name, "config.json")).read_text(encoding="utf-8"))
    architecture = str((raw.get("architectures") or [""])[0])
    if architecture.startswith(HHEM):
        template, tokenizer, model = _hhem(name, raw)
    else:
        ending = next((each for each in ("SequenceClassification", "TokenClassification") if architecture.endswith(each)), None)
        if ending is None:
            raise UsageError(
                f"{what} is no classifier but {architecture or 'unknown'!r}.", hint="Choose an NLI or text classifier."
            )
        template = ""
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        kind = getattr(transformers, f"AutoModelFor{ending}")
        model = kind.from_pretrained(name, trust_remote_code=False, use_safetensors=True)
    return template, tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def _hhem(name: str, raw: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """HHEM 2 without its own code: its weights are those of a T5 token classifier under `t5.`."""
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, T5Config, T5ForTokenClassification
    from transformers.utils import cached_file

    foundation = raw.get("foundation", "google/flan-t5-base")
    labels = {0: NOT_FOUND, 1: SUPPORTED}
    model = T5ForTokenClassification(T5Config.from_pretrained(foundation, id2label=labels))
    weights = load_file(cached_file(name, "model.safetensors"))
    found = model.load_state_dict({key.removeprefix("t5."): value for key, value in weights.items()}, strict=False)
    if any(not key.endswith("embed_tokens.weight") for key in found.missing_keys):  # those are tied to `shared`
        raise ValueError(f"model.safetensors lacks {found.missing_keys[0]}")
    template = "<pad> Determine if the hypothesis is true given the premise?\n\nPremise: {text1}\n\nHypothesis: {text2}"
    return str(raw.get("prompt", template)), AutoTokenizer.from_pretrained(foundation, trust_remote_code=False), model


def _window(tokenizer: Any, config: Any) -> int:  # noqa: ANN401 -- untyped vendor objects
    """Tokens that the model can read; RoBERTa keeps two of its positions for itself."""
    positions = getattr(config, "max_position_embeddings", None)
    return int(min(tokenizer.model_max_length, positions - 2 if positions and positions > 2 else ASSUMED_WINDOW, LONGEST))
