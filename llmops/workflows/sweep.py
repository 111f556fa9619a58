"""`llmops rag sweep`: configurations of an index held against the current one, at an equal budget of context tokens."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmops.domain.errors import UsageError
from llmops.domain.keys import content_hash
from llmops.domain.ports import Progress
from llmops.domain.records import record
from llmops.domain.sweeps import BudgetOrigin, Sweep, SweepMetric, SweepVerdict, Tried
from llmops.rag.chunking import ChunkerMisfit
from llmops.settings.editing import with_values
from llmops.settings.files import read_text, write_atomic
from llmops.settings.indexes import IndexSettings
from llmops.settings.project import FILE_NAME
from llmops.settings.space import SECTIONS, Space
from llmops.statistics.intervals import mean_interval
from llmops.workflows.rag_eval import LabelledQueries
from llmops.workflows.retrieval_differences import Against, against, direction, query_difference
from llmops.workflows.sweep_bench import Parts, SweepBench, Trial

FEWEST = 10
"""Labelled queries: both folds have half of them."""
REJECTED_AT = 0.99
"""Confidence at which a configuration is worse than another on the choosing fold, and is not measured on the other."""
CURRENT = "current"


@record
class Terms:
    """How configurations are compared."""

    metric: SweepMetric = "recall"
    budget: int | None = None
    """Tokens; None: what the current configuration gives, or the largest chunk that is tried."""


def folds(labelled: LabelledQueries) -> tuple[list[str], list[str]]:
    """The queries to choose on, and those to report on: halves, the same in every sweep.

    Raises:
        UsageError: there are too few.
    """
    order = sorted(labelled.texts, key=lambda query: content_hash(f"{query}\n{labelled.texts[query]}"))
    if len(order) < FEWEST:
        raise UsageError(f"{len(order)} labelled queries are too few to choose on one half and report on the other.",
                         hint=f"Label {FEWEST} or more; a few dozen tell configurations apart.")  # fmt: skip
    return order[::2], order[1::2]


def sweep(
    index: str, base: IndexSettings, space: Space, labelled: LabelledQueries, terms: Terms, parts: Parts, progress: Progress
) -> Sweep:
    """Measure every configuration, choose one on half of the queries, and report on the other half.

    Args:
        index: its name.
        base: its current settings.
        space: what to try.
        labelled: queries with what is relevant to them.
        terms: metric and budget.
        parts: of the project.
        progress: told of each configuration.

    Raises:
        UsageError: too few labelled queries, or a budget that no chunk fits.
    """
    choosing, reporting = folds(labelled)
    every = [*choosing, *reporting]
    bench = SweepBench(index, base, labelled, terms.metric, parts, progress)
    today = bench.measured("as it is", base, every)
    budget, origin = _budget(terms.budget, today, choosing, space)
    current = bench.measured(CURRENT, _within(base, budget, open_k=space.open_k), every)
    left_out = list(space.left_out)
    found = [current]
    progress.started(f"configurations of {index}", len(space.settings))
    for number, settings in enumerate(space.settings, start=1):
        limited = _within(settings, budget, open_k=space.open_k)
        name = _name(limited, current.settings, open_k=space.open_k)
        try:
            measured = bench.measured(name, limited, choosing) if name else current
            if not any(_rejects(other, measured, choosing) for other in found):
                measured = bench.measured(measured.name, limited, every)
            found += [measured] if name else []
        except ChunkerMisfit as error:
            left_out.append(f"{name}: {error}")
        progress.advanced(number)
    progress.finished()
    bench.close()
    told = _told(index, terms.metric, (budget, origin), (today, found), (choosing, reporting), left_out)
    return replace(told, unknown=bench.unknown)


def adopt(found: Sweep, base: IndexSettings, root: Path) -> Mapping[str, Any]:
    """Write the winner into llmops.yaml and return what was written; comments and layout stay.

    Raises:
        InvalidFiles: the index is not written in a way that can be changed in place.
        OSError: the file cannot be written; what was there is untouched.
    """
    changes = next(each.changes for each in found.tried if each.name == found.winner)
    text = read_text(root / FILE_NAME, root)
    for section in SECTIONS:
        values = {key.split(".", 1)[1]: value for key, value in changes.items() if key.startswith(f"{section}.")}
        if not values:
            continue
        if section in base.model_fields_set and getattr(base, section).model_fields_set:
            text = with_values(text, FILE_NAME, ("indexes", found.index, section), values)
        else:
            text = with_values(text, FILE_NAME, ("indexes", found.index), {section: values})
    write_atomic(root / FILE_NAME, text)
    return changes


def _budget(wanted: int | None, current: Trial, choosing: Sequence[str], space: Space) -> tuple[int, BudgetOrigin]:
    largest = max(each.chunker.max_tokens for each in space.settings)
    if wanted is None:
        given = current.settings.retrieve.max_tokens or math.ceil(
            sum(current.figures.tokens[query] for query in choosing) / len(choosing)
        )
        return (given, "current") if given >= largest else (largest, "largest chunk")
    if wanted < largest:
        raise UsageError(
            f"A budget of {wanted} tokens has no room for a chunk of {largest}.", hint=f"--budget {largest} or more."
        )
    return wanted, "given"


def _within(settings: IndexSettings, budget: int, *, open_k: bool) -> IndexSettings:
    """The settings with the budget; when nothing says how many hits, as many as fit."""
    retrieve = settings.retrieve
    candidates = retrieve.rerank.candidates if retrieve.rerank else retrieve.dense + retrieve.bm25
    update = {"max_tokens": budget, **({"k": candidates} if open_k else {})}
    return settings.model_copy(update={"retrieve": _copy(retrieve, update)})


def _copy(retrieve: Any, update: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- RetrieveSettings
    return type(retrieve).model_validate({**retrieve.model_dump(exclude_unset=True), **update})


def _changes(settings: IndexSettings, base: IndexSettings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for section in SECTIONS:
        before, after = (getattr(each, section).model_dump(mode="json") for each in (base, settings))
        found.update({f"{section}.{key}": value for key, value in after.items() if value != before[key]})
    return found


def _name(settings: IndexSettings, current: IndexSettings, *, open_k: bool) -> str:
    """What it changes, short; empty: nothing. Where `k` is open it follows from the candidates."""
    changes = {key: value for key, value in _changes(settings, current).items() if not (open_k and key == "retrieve.k")}
    parts = {key: key.split(".") for key in changes}
    return " ".join(f"{section if name == 'kind' else name}={changes[key]}" for key, (section, name) in parts.items())


def _rejects(other: Trial, measured: Trial, queries: Sequence[str]) -> bool:
    """Whether another is clearly better, and neither slower nor larger."""
    if measured.figures.size_bytes < other.figures.size_bytes or measured.percentile_ms(0.5) < other.percentile_ms(0.5):
        return False
    found = query_difference(_scores(other, queries), _scores(measured, queries), REJECTED_AT)
    return found is not None and found.high is not None and found.high < 0


def _scores(each: Trial, queries: Sequence[str]) -> list[float]:
    return [each.figures.scores[query] for query in queries]


def _told(
    index: str,
    metric: SweepMetric,
    budget: tuple[int, BudgetOrigin],
    measured: tuple[Trial, Sequence[Trial]],
    split: tuple[Sequence[str], Sequence[str]],
    left_out: Sequence[str],
) -> Sweep:
    choosing, reporting = split
    today, found = measured
    current = found[0]
    complete = [each for each in found if all(query in each.figures.scores for query in reporting)]
    others = [each for each in complete if each is not current]
    held = against(_scores(current, reporting), [_scores(each, reporting) for each in others])
    differences = {each.name: difference for each, difference in zip(others, held, strict=True)}
    # Of equals the current one wins, then the smaller.
    winner = max(complete, key=lambda each: (each.mean(choosing), each is current, -each.figures.size_bytes))
    tried = [
        _tried(each, today, split, differences.get(each.name), complete)
        for each in [current, *sorted(found[1:], key=lambda each: -each.mean(choosing))]
    ]
    # The winner was chosen on other queries: its difference is the only claim, and needs no adjustment.
    verdict: SweepVerdict = "current" if winner is current else direction(differences[winner.name].paired.interval)
    queries = (len(choosing), len(reporting))
    as_is = _tried(today, today, split, None, [today])
    return Sweep(index, metric, *budget, *queries, as_is, tuple(tried), winner.name, verdict, tuple(left_out))


def _tried(
    each: Trial,
    today: Trial,
    split: tuple[Sequence[str], Sequence[str]],
    difference: Against | None,
    complete: Sequence[Trial],
) -> Tried:
    choosing, reporting = split
    score = mean_interval([each.figures.scores[query] for query in reporting], bounds=(0.0, 1.0)) if each in complete else None
    return Tried(
        each.name,
        _changes(each.settings, today.settings),
        each.figures.chunks,
        each.figures.size_bytes,
        each.figures.build_s,
        sum(each.figures.tokens.values()) / len(each.figures.tokens),
        {"p50": each.percentile_ms(0.5), "p95": each.percentile_ms(0.95)},
        each.mean(choosing),
        None if score is None else score.value,
        None if score is None else score.interval,
        None if difference is None else difference.paired.difference,
        None if difference is None else difference.paired.interval,
        None if difference is None else difference.p_value,
        each in complete and not any(_dominates(other, each, reporting) for other in complete),
    )


def _dominates(other: Trial, each: Trial, queries: Sequence[str]) -> bool:
    mine, theirs = (tuple(_goods(one, queries)) for one in (each, other))
    return theirs != mine and all(t >= m for t, m in zip(theirs, mine, strict=True))


def _goods(each: Trial, queries: Sequence[str]) -> Iterator[float]:
    """Each the more the better; latencies that a clock can hardly tell apart count as equal."""
    yield each.mean(queries)
    yield -round(each.percentile_ms(0.5), 0)
    yield -float(each.figures.size_bytes)
