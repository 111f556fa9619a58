"""Names of people, places and groups, by Presidio over a spaCy model (`pii` extra)."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.domain.errors import MissingExtra, UsageError
from llmops.domain.keys import content_hash
from llmops.domain.scores import Detection, DetectionRequest, Span

DEFAULT_MODEL = "en_core_web_lg"
KINDS = {"PERSON": "person", "LOCATION": "location", "NRP": "group", "ORGANIZATION": "organisation"}
"""Presidio's names and ours; NRP is a nationality, a religious or a political group."""
MIN_SCORE = 0.35
MAX_CHARACTERS = 200_000
"""Read of a text."""


class PresidioDetector:
    """Implements `Detector`: the value is the highest score of a finding, the spans are all of them.

    Only Presidio's recogniser of named entities runs: what a pattern can find, our own patterns find, and recognisers that
    fetch lists from the network are never built.
    """

    def __init__(self, model: str = DEFAULT_MODEL) -> None:
        """Check that the extra and the model are there; the model is loaded when it is first needed.

        Args:
            model: a spaCy model by package name, or its folder.

        Raises:
            MissingExtra: Presidio is not installed.
            UsageError: there is no such model.
        """
        if find_spec("presidio_analyzer") is None:
            raise MissingExtra("Finding names with Presidio", "pii")
        self._model = model
        self.identity = f"presidio:{version('presidio-analyzer')}:{_identity(model)}"
        self._engine: Any = None
        self._lock = Lock()

    def detect(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """As the port."""
        engine = self._load()
        return [self._found(engine, request.output[:MAX_CHARACTERS]) for request in requests]

    def _found(self, engine: Any, text: str) -> Detection:  # noqa: ANN401 -- an untyped vendor object
        results = engine.analyze(text=text, language="en", entities=list(KINDS), score_threshold=MIN_SCORE)
        spans = sorted((Span(each.start, each.end, KINDS[each.entity_type]) for each in results), key=lambda span: span.start)
        return Detection(max((float(each.score) for each in results), default=0.0), tuple(spans))

    def _load(self) -> Any:  # noqa: ANN401 -- an untyped vendor object
        with self._lock:
            if self._engine is None:
                from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
                from presidio_analyzer.nlp_engine import SpacyNlpEngine
                from presidio_analyzer.predefined_recognizers import SpacyRecognizer

                names = RecognizerRegistry(recognizers=[SpacyRecognizer(supported_entities=list(KINDS))])
                spacy = SpacyNlpEngine(models=[{"lang_code": "en", "model_name": self._model}])
                self._engine = AnalyzerEngine(registry=names, nlp_engine=spacy)
            return self._engine


def _identity(model: str) -> str:
    """A model's version, or the hash of what its folder says of itself."""
    folder = Path(model)
    if (folder / "meta.json").is_file():
        return content_hash((folder / "meta.json").read_bytes())
    try:
        return f"{model}:{version(model)}"
    except (PackageNotFoundError, ValueError):
        hint = f"Install it: python -m spacy download {model}" if model.isidentifier() else "Name a folder with a meta.json."
        raise UsageError(f"No spaCy model {model!r} is installed, and no folder of that name holds one.", hint=hint) from None
