"""Recorded requests from the store: the cells of a run that several models answered."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from llmops.domain.errors import UsageError
from llmops.domain.ports import Store
from llmops.domain.runs import CellResult, Run
from llmops.domain.words import many
from llmops.evaluation.datasets import load_dataset
from llmops.evaluation.planning import question_of
from llmops.routing.records import Answered, RecordedRow, Records, records_of
from llmops.settings.validation import nearest

SIGNALS = ("hallucination", "toxicity", "perplexity")
"""Evaluators whose values a cascade may look at; a refusal is a signal, too."""
BOTH = "Evaluate the same cases with both: llmops eval, targets: [small, large]"


def records_of_run(store: Store, run: Run, root: Path, quality: str | None) -> Records:
    """The cells of a run as requests: one for each case, prompt and repeat that every target answered.

    Args:
        store: holds the run.
        run: with two models or more as targets.
        root: the project's, to read the questions from the dataset.
        quality: evaluator whose value, from 0 to 1, is the quality; None: whether all evaluators passed.

    Raises:
        UsageError: fewer than two models, no such evaluator, or nothing that was judged.
    """
    compared = len(_models_of(run))
    if compared < 2:
        raise UsageError(f"Run {run.id} has {many(compared, 'model')} among its targets, and two are compared.", hint=BOTH)
    rows: dict[tuple[str, str, int], dict[str, Answered]] = {}
    tags: dict[str, list[str]] = {}
    evaluators: dict[str, None] = {}
    for result in store.results(run.id):
        if result.route:
            continue
        evaluators |= dict.fromkeys(result.evaluations)
        answered = _answered(result, quality)
        if answered is not None:
            rows.setdefault((result.case_id, result.prompt, result.repeat), {})[result.target] = answered
            tags[result.case_id] = list(result.tags)
    if quality is not None and quality not in evaluators:
        raise UsageError(f"Run {run.id} has no evaluator {quality!r}.", hint=nearest(quality, evaluators))
    if not rows:
        raise UsageError(
            f"Run {run.id} has no judged answer.", hint="Name an evaluator with values from 0 to 1: --quality NAME"
        )
    texts = dict(_questions(run, root))
    found = records_of(
        [
            RecordedRow(
                id=f"{case}|{prompt}|{repeat}", prompt=texts.get(case, case), models=models, group=case, tags=tags[case]
            )
            for (case, prompt, repeat), models in rows.items()
        ]
    )
    facts = run.snapshot.get("targets", {})
    return replace(found, asked={name: facts[name] for name in found.models if name in facts})


def _answered(result: CellResult, quality: str | None) -> Answered | None:
    """A cell as an answer with its worth; None when it was not measured."""
    if quality is None:
        worth = None if result.passed is None else float(result.passed)
    else:
        found = result.evaluations.get(quality)
        worth = None if found is None or found.status != "scored" else found.value
    if result.status == "failed":
        worth = 0.0
    if worth is None or not 0 <= worth <= 1:
        return None
    values = {name: e.value for name, e in result.evaluations.items() if name in SIGNALS and e.status == "scored"}
    signals = {name: value for name, value in values.items() if value is not None}
    refusal = result.evaluations.get("refusal")
    if refusal is not None and "refused" in refusal.parts:
        signals["refusal"] = refusal.parts["refused"]
    checks = {name: e.status != "failed" and e.passed is not False for name, e in result.evaluations.items()}
    return Answered(
        quality=worth,
        cost=result.cost_usd,
        latency=result.latency_s,
        signals=signals,
        checks=checks,
        answered=result.status != "failed",
    )


def _questions(run: Run, root: Path) -> Iterator[tuple[str, str]]:
    """What the cases of a run asked; empty when its dataset is not there any more."""
    path = root / str(run.snapshot.get("dataset", {}).get("path", ""))
    if not path.is_file():
        return
    for case in load_dataset(path, root).cases():
        yield case.id, question_of(case.at_last())


def latest_comparable_run(store: Store) -> Run:
    """The newest finished run with two models or more as targets that was not made to hold another against.

    Raises:
        UsageError: there is none.
    """
    for run in store.runs(200):
        if run.status == "finished" and not run.aside and len(_models_of(run)) > 1:
            return run
    raise UsageError("No run has two models or more as targets.", hint=BOTH)


def _models_of(run: Run) -> list[str]:
    """The targets of a run that are no routes."""
    return [name for name, facts in run.snapshot.get("targets", {}).items() if "route" not in facts]
