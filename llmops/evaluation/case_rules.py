"""Rules of a gate that count cases and have no statistics: none may fail, or none that passed in the baseline."""

from collections.abc import Collection, Iterable

from llmops.domain.reports import RuleVerdict, Verdict
from llmops.domain.runs import CellResult
from llmops.evaluation.comparing import Baseline

NAMED = 5
"""Cases that a reason names."""


def no_failures(results: Iterable[CellResult], tags: Collection[str]) -> RuleVerdict:
    """That each of these cells has an answer and passes; inconclusive when an evaluator could not judge one.

    Args:
        results: of one prompt and target.
        tags: of the cases that may not fail; empty: all.
    """
    failed: list[str] = []
    unknown: list[str] = []
    judged = 0
    for result in results:
        if result.passed is False or result.status == "failed":
            failed.append(result.case_id)
        elif not result.covered:
            unknown.append(result.case_id)
        judged += result.passed is not None or result.status == "failed"
    return _verdict(failed, unknown, judged, _nothing(tags, ""))


def no_new_failures(results: Iterable[CellResult], tags: Collection[str], baseline: Baseline | None) -> RuleVerdict:
    """As `no_failures`, of the cells that pass in the baseline."""
    if baseline is None:
        return _verdict([], [], 0, "no baseline: set one with `llmops runs baseline RUN`")
    broken: list[str] = []
    unknown: list[str] = []
    compared = 0
    for result in results:
        before = baseline.cell(result)
        if before is not None and before.passed is not None:
            compared += 1
            if before.passed and (result.passed is False or result.status == "failed"):
                broken.append(result.case_id)
            elif before.passed and (result.passed is None or _lost(before, result)):
                unknown.append(result.case_id)
    return _verdict(broken, unknown, compared, _nothing(tags, " in the baseline"))


def _lost(before: CellResult, after: CellResult) -> bool:
    """Whether an evaluator passed a case in the baseline and failed to judge it now."""
    now = after.evaluations
    return any(old.passed and name in now and now[name].status == "failed" for name, old in before.evaluations.items())


def _nothing(tags: Collection[str], where: str) -> str:
    tagged = f" tagged {' or '.join(sorted(tags))}" if tags else ""
    return f"no case{tagged} has a verdict{where}"


def _verdict(failed: list[str], unknown: list[str], judged: int, nothing: str) -> RuleVerdict:
    """Without a text and a place. `nothing` is the reason when no cell could be judged."""
    if not judged and not unknown:
        return RuleVerdict("", "", "", "not judged", n=judged, reason=nothing)
    verdict: Verdict = "fail" if failed else "inconclusive" if unknown else "pass"
    named = list(dict.fromkeys(failed or unknown))
    more, without = " ..." if len(named) > NAMED else "", "" if failed or not unknown else " without a value"
    reason = f"{', '.join(named[:NAMED])}{more}{without}"
    return RuleVerdict("", "", "", verdict, float(len(failed)), n=judged, reason=reason)
