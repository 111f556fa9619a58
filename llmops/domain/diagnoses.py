"""Why the answers of a run are wrong: each wrong answer with the stage that lost it."""

from collections.abc import Mapping
from typing import Literal, get_args

from llmops.domain.records import record

DIAGNOSIS_VERSION = 1
"""Raised when a key of the JSON document changes its meaning or disappears."""

Fault = Literal["not in corpus", "not retrieved", "cut", "ignored", "contradicted", "should decline", "unknown"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
BEFORE_THE_MODEL: frozenset[Fault] = frozenset({"not in corpus", "not retrieved", "cut"})
"""The model never saw the evidence."""


@record
class WrongAnswer:
    """One cell whose answer did not pass."""

    case_id: str
    prompt: str
    target: str
    repeat: int
    """0-based."""
    fault: Fault
    detail: str
    """What the fault was read from."""
    places: tuple[str, ...]
    """Where the corpus holds the evidence, as `document:start-end`; empty when it does not, or when nobody knows."""
    query: str
    output: str
    reasons: Mapping[str, str]
    """What the evaluators that did not pass said, by name."""


@record
class Share:
    """Part of the wrong answers of a prompt x target whose evidence the model never saw."""

    prompt: str
    target: str
    answers: int
    """Answers that were judged."""
    wrong: int
    counts: Mapping[Fault, int]
    """Every fault, also at zero."""
    before_the_model: float | None
    """Of the attributed wrong answers; None when there are none."""
    interval: tuple[float, float] | None
    """Two-sided, 95 %; repeats of a case are a cluster."""


@record
class Diagnosis:
    """The wrong answers of a run, attributed."""

    run_id: str
    suite: str
    index: str
    evaluators: tuple[str, ...]
    """Those that decide whether an answer is wrong."""
    shares: tuple[Share, ...]
    wrong: tuple[WrongAnswer, ...]
    """In the order of the run."""
    failed: int
    """Cells without an answer: not attributed."""
    notes: tuple[str, ...]
    """What the reader should know of the evidence."""
    schema_version: int = DIAGNOSIS_VERSION
