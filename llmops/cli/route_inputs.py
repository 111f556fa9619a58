"""What `llmops route report` and `fit` read: recorded requests of a run or of a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops.cli.session import Session, wiring_or_bare
from llmops.domain.errors import UsageError

if TYPE_CHECKING:
    from llmops.routing.records import Records
    from llmops.wiring import Wiring

RUN = "Run with two models or more as targets; default: the newest."
QUALITY = "Evaluator that says how good an answer is; default: whether all passed."
FROM = "JSONL of recorded requests instead; needs no project."
KEEP = "Share of the large model's quality that is to be kept."
PRICE = "What if: MODEL=USD per 1,000 requests; repeatable."
EMBEDDER = "What the learned router sees: minilm, or static (faster)."


def recorded(session: Session, run: str | None, source: Path | None, quality: str | None) -> "tuple[Records, str, Wiring]":
    """The requests of a file or a run, what they are called, and the project's objects."""
    from llmops.routing.records import read_records
    from llmops.workflows.route_records import latest_comparable_run, records_of_run

    wiring = wiring_or_bare(session)
    if source is not None:
        if run is not None:
            raise UsageError("--from takes the place of a run.", hint="Name either a file or a run.")
        return read_records(session.start / source, session.start), str(source), wiring
    store = session.wiring.store
    chosen = store.run(run) if run is not None else latest_comparable_run(store)
    return records_of_run(store, chosen, session.root, quality), chosen.id, wiring


def configured(wiring: "Wiring", models: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What llmops.yaml says of those of the models that it knows: a file does not tell what was asked."""
    return {name: wiring.target(name).facts for name in models if name in wiring.project.settings.models}


def prices_of(texts: list[str] | None) -> dict[str, float]:
    """`MODEL=USD` of each text."""
    return dict(_price(text) for text in texts or ())


def _price(text: str) -> tuple[str, float]:
    name, equals, value = text.rpartition("=")
    try:
        if equals and name and 0 <= float(value) < float("inf"):
            return name, float(value)
    except ValueError:
        pass
    raise UsageError(f"--price {text!r}: MODEL=USD per 1,000 requests was expected.", hint="For example: --price large=12.50")
