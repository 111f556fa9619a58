"""Rules of a gate on cells that a test makes up: what proves something, and what does not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from llmops.domain.reports import Power, RuleVerdict, Verdict
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.evaluation.aggregating import Aggregator
from llmops.evaluation.comparing import Baseline
from llmops.evaluation.evaluators.base import ANY, COUNT, SHARE, Bounds, BuiltEvaluator, Figures, Kind
from llmops.evaluation.gating import Gate, Judgement, power_of, several_looks
from llmops.reporting.figures import estimate_of
from llmops.settings.suite import GateRule
from llmops.settings.validation import Strict
from llmops.statistics.intervals import exact_proportion, wilson
from llmops.statistics.power import cases_for_drop, detectable_drop


def plan_of(
    rules: Sequence[Mapping[str, Any]],
    cases: int,
    repeat: int = 1,
    bounds: Bounds = ANY,
    *,
    lower_is_better: bool = False,
    unit: str = "",
    looks: tuple[int, ...] = (1,),
) -> Any:  # noqa: ANN401
    """A plan of one prompt, one target and the evaluator `grade`."""
    spec = SimpleNamespace(name="grade", kind="python", common=SimpleNamespace(weight=1.0))
    kind = Kind("python", "", Strict, lambda *_: None, verdict="passed", unit=unit)  # type: ignore[arg-type]
    built = BuiltEvaluator(spec, kind, None, Figures(bounds, lower_is_better=lower_is_better))  # type: ignore[arg-type]
    gate = [GateRule.model_validate(rule) for rule in rules]
    return SimpleNamespace(
        size=cases * repeat,
        cases=cases,
        repeat=repeat,
        looks=looks,
        prompts={"p": None},
        targets={"t": SimpleNamespace(name="t", model_id="m")},
        calibrations={},
        evaluators=[built],
        all_evaluators=lambda: [built],
        evaluators_of=lambda _: [built],
        suite=SimpleNamespace(settings=SimpleNamespace(gate=gate)),
    )


def evaluation(value: float | None, limit: float | None) -> EvaluatorResult:
    passed = None if value is None or limit is None else value >= limit
    return EvaluatorResult("failed" if value is None else "scored", value, passed)


def cells(values: Iterable[float | None], repeat: int = 1, *, limit: float | None = None) -> list[CellResult]:
    """One result for each value, repeats of a case in a row; None: the evaluator failed. Those from `limit` on pass."""
    return [
        CellResult(
            position,
            f"c{position // repeat}",
            "p",
            "t",
            position % repeat,
            status="scored",
            output="x",
            error=None,
            evaluations={"grade": evaluation(value, limit)},
            model="m",
        )
        for position, value in enumerate(values)
    ]


def judged(plan: Any, results: list[CellResult], before: list[CellResult] | None = None) -> tuple[RuleVerdict, ...]:  # noqa: ANN401
    aggregator = Aggregator(plan)
    for result in results:
        aggregator.add(result)
    baseline = None if before is None else Baseline.of(before, plan.prompts, plan.targets, {})
    return Gate(plan, aggregator, baseline).judge(lambda: results)


@pytest.mark.parametrize("cases", [40, 41])
@pytest.mark.parametrize(
    ("value", "limit", "verdict"),
    [
        (3.0, {"min": 3.5}, "fail"),
        (3.0, {"max": 2.5}, "fail"),
        (0.1, {"min": 0.6}, "fail"),
        (3.0, {"min": 2.5}, "inconclusive"),
        (3.0, {"max": 3.5}, "inconclusive"),
        (0.7, {"min": 0.7}, "inconclusive"),
    ],
)
def test_equal_values_without_bounds_fail_on_the_wrong_side_and_never_pass_unseen(
    cases: int, value: float, limit: dict[str, float], verdict: Verdict
) -> None:
    plan = plan_of([{"metric": "grade.pass_rate", "min": 0.5}, {"metric": "grade.mean", **limit}], cases)
    passing, mean = judged(plan, cells([value] * cases, limit=0.0))
    assert (passing.verdict, mean.verdict) == ("pass", verdict)
    assert Judgement((passing, mean)).verdict == verdict
    assert f"all {cases} cases have the value {value:g}" in mean.reason


@pytest.mark.parametrize(("cases", "verdict"), [(1, "inconclusive"), (4, "inconclusive"), (5, "fail")])
def test_a_few_equal_values_on_the_wrong_side_are_not_enough_to_fail(cases: int, verdict: Verdict) -> None:
    (mean,) = judged(plan_of([{"metric": "grade.mean", "min": 3.5}], cases), cells([3.0] * cases))
    assert mean.verdict == verdict


@pytest.mark.parametrize(("limit", "verdict"), [(2.4, "pass"), (2.9, "inconclusive"), (3.1, "inconclusive"), (3.6, "fail")])
def test_equal_levels_of_a_rubric_have_the_interval_that_its_bounds_give(limit: float, verdict: Verdict) -> None:
    plan = plan_of([{"metric": "grade.mean", "min": limit}], 40, bounds=(1.0, 5.0))
    (mean,) = judged(plan, cells([3.0] * 40))
    assert (mean.verdict, mean.value) == (verdict, 3.0)
    share = wilson(20, 40, 0.9)
    assert share.low is not None
    assert mean.low == pytest.approx(1 + 4 * share.low)


def test_the_lowest_level_of_a_rubric_is_no_share_of_ones() -> None:
    (mean,) = judged(plan_of([{"metric": "grade.mean", "max": 1.1}], 40, bounds=(1.0, 5.0)), cells([1.0] * 40))
    assert (mean.verdict, mean.low) == ("inconclusive", 1.0)


def test_the_interval_of_seconds_ends_at_zero_in_the_gate_and_beside_it() -> None:
    plan, results = plan_of([{"metric": "grade.mean", "max": 0.02}], 8, bounds=COUNT), cells([0.001] * 7 + [0.01])
    aggregator = Aggregator(plan)
    for result in results:
        aggregator.add(result)
    (group,) = aggregator.summaries()
    (shown,) = (metric for metric in group.evaluators[0].metrics if metric.name == "grade.mean")
    (rule,) = judged(plan, results)
    assert (shown.low, rule.low, rule.verdict) == (0.0, 0.0, "pass")


@pytest.mark.parametrize(("aggregate", "unit"), [("mean", "s"), ("p50", "s"), ("pass_rate", "")])
def test_a_rule_tells_its_unit_and_the_confidence_of_its_interval(aggregate: str, unit: str) -> None:
    plan = plan_of([{"metric": f"grade.{aggregate}", "min": 0, "confidence": 0.95}], 40, unit="s")
    (rule,) = judged(plan, cells([1.0, 2.0] * 20, limit=1.0))
    assert rule.unit == unit
    assert rule.confidence == 0.9  # as the manual has it, though 2 x 0.95 - 1 is a little less in binary


def test_values_outside_the_bounds_are_those_of_other_options() -> None:
    (mean,) = judged(plan_of([{"metric": "grade.mean", "min": 4.0}], 40, bounds=(1.0, 5.0)), cells([6.0, 8.0] * 20))
    assert mean.verdict == "pass"


@pytest.mark.parametrize(("limit", "verdict"), [(5.0, "not judged"), (2.5, "inconclusive"), (0.5, "fail")])
def test_a_quantile_of_too_few_values_is_left_out_only_while_it_keeps_its_limit(limit: float, verdict: Verdict) -> None:
    plan = plan_of([{"metric": "grade.p95", "max": limit}], 10)
    (found,) = judged(plan, cells([1.0] * 8 + [2.0, 4.0]))
    assert (found.verdict, found.reason) == (
        verdict,
        "" if verdict == "fail" else "10 measurements are too few for an interval",
    )


def test_a_gate_is_judged_when_every_case_flips_both_ways_alike() -> None:
    plan = plan_of([{"metric": "grade.pass_rate", "non_inferior_to": "baseline", "margin": 0.1}], 40)
    before, after = cells([1.0, 0.0] * 20, limit=0.5), cells([0.0, 1.0] * 20, limit=0.5)
    rules = judged(plan, after, before)
    aggregator = Aggregator(plan)
    for result in after:
        aggregator.add(result)
    power = power_of(plan, rules, aggregator)
    assert (rules[0].verdict, rules[0].discordance) == ("inconclusive", 1.0)
    assert power is not None
    assert (power.discordance, power.observed) == (1.0, True)
    assert power.drop is not None


@pytest.mark.parametrize(
    ("values", "verdict", "reason"),
    [
        ([1.0] * 5, "pass", ""),
        ([1.0, 1.0, 0.0, 0.0, 1.0, None], "fail", "c1"),
        ([1.0, 1.0, None, None, 1.0], "inconclusive", "c1 without a value"),
        ([], "not judged", "no case has a verdict"),
    ],
)
def test_no_case_may_fail_however_many_pass(values: list[float | None], verdict: Verdict, reason: str) -> None:
    (rule,) = judged(plan_of([{"no_failures": {}}], 5), cells(values, 2, limit=0.5))
    assert (rule.rule, rule.verdict, rule.reason) == ("no failures", verdict, reason)
    assert (rule.low, rule.confidence, rule.unit) == (None, None, "cells")


def test_a_cell_without_an_answer_has_failed_and_tags_choose_the_cells() -> None:
    results = cells([1.0] * 4, limit=0.5)
    results[1] = replace(results[1], status="failed", evaluations={}, tags=("slow",))
    results[2] = replace(results[2], tags=("critical",))
    (slow,) = judged(plan_of([{"no_failures": {"tags": ["slow", "late"]}}], 4), results)
    assert (slow.rule, slow.verdict, slow.reason) == ("no failures in late, slow", "fail", "c1")
    (critical,) = judged(plan_of([{"no_failures": {"tags": ["critical"]}}], 4), results)
    assert (critical.verdict, critical.n) == ("pass", 1)


@pytest.mark.parametrize("tags", [["critcal"], []])
def test_no_new_failures_of_cases_that_the_baseline_does_not_have_are_not_judged(tags: list[str]) -> None:
    plan = plan_of([{"no_new_failures": {"tags": tags}}], 5)
    before = cells([1.0] * 5, limit=0.5) if tags else []
    (rule,) = judged(plan, cells([0.0] * 5, limit=0.5), before)
    assert (rule.verdict, rule.n) == ("not judged", 0)
    assert rule.reason == (
        "no case tagged critcal has a verdict in the baseline" if tags else "no case has a verdict in the baseline"
    )
    (rule,) = judged(plan_of([{"no_new_failures": {"tags": []}}], 5), cells([0.0] * 5, limit=0.5), cells([1.0] * 5, limit=0.5))
    assert (rule.verdict, rule.n) == ("fail", 5)


def test_what_had_failed_before_is_no_new_failure() -> None:
    before, after = cells([0.0, 0.0, 1.0, 1.0], limit=0.5), cells([0.0, 1.0, 1.0, 0.0], limit=0.5)
    (rule,) = judged(plan_of([{"no_new_failures": {"tags": []}}], 4), after, before)
    assert (rule.value, rule.n, rule.unit, estimate_of(rule)) == (1.0, 4, "new failures", "1 of 4 cells newly failed")


@pytest.mark.parametrize(("bounds", "verdict"), [((1.0, 5.0), "pass"), (ANY, "inconclusive")])
def test_a_failed_case_of_a_rubric_counts_as_its_worst_level(bounds: Bounds, verdict: Verdict) -> None:
    plan = plan_of([{"metric": "grade.mean", "non_inferior_to": "baseline", "margin": 0.3}], 200, bounds=bounds)
    before, after = [3.0, 4.0, 5.0, 4.0] * 50, [4.0, 3.0, 5.0, 4.0] * 50
    (rule,) = judged(plan, cells([None, *after[1:]]), cells(before))
    assert (rule.verdict, rule.n) == (verdict, 199)


@pytest.mark.parametrize(("lower_is_better", "verdict"), [(False, "pass"), (True, "fail")])
def test_more_of_what_should_be_little_is_a_loss(lower_is_better: bool, verdict: Verdict) -> None:
    rule = {"metric": "grade.mean", "non_inferior_to": "baseline", "margin": 0.3}
    plan = plan_of([rule], 40, bounds=(0.0, 10.0), lower_is_better=lower_is_better)
    (found,) = judged(plan, cells([3.0, 4.0] * 20), cells([2.0, 3.0] * 20))
    assert (found.value, found.verdict) == (1.0, verdict)


def test_repeats_do_not_make_a_quantile_sure() -> None:
    values = [1.0 + case % 10 / 10 for case in range(40) for _ in range(5)]
    rules = [{"metric": "grade.p50", "max": 1.55}, {"metric": "grade.p95", "max": 2.0}]
    middle, late = judged(plan_of(rules, 40, repeat=5), cells(values, repeat=5))
    assert (middle.verdict, middle.n) == ("inconclusive", 40)
    assert (late.verdict, late.reason) == ("not judged", "40 cases are too few for an interval")


def unanswered(results: list[CellResult], count: int) -> list[CellResult]:
    """The first so many without an answer."""
    none = [replace(each, status="failed", output=None, error="Timeout", evaluations={}) for each in results[:count]]
    return [*none, *results[count:]]


@pytest.mark.parametrize(("limit", "verdict"), [(0.9, "pass"), (0.94, "inconclusive")])
def test_a_cell_without_an_answer_could_have_passed_or_not(limit: float, verdict: Verdict) -> None:
    plan = plan_of([{"metric": "grade.pass_rate", "min": limit}], 100)
    (rule,) = judged(plan, unanswered(cells([1.0] * 100, limit=0.5), 4))
    assert (rule.verdict, rule.value, rule.n) == (verdict, 1.0, 96)
    assert rule.reason == ("4 without a value" if verdict == "inconclusive" else "")


@pytest.mark.parametrize(("missing", "verdict"), [(2, "pass"), (20, "inconclusive")])
@pytest.mark.parametrize("relative", [False, True])
def test_a_quantile_holds_whatever_the_missing_values_are(missing: int, verdict: Verdict, *, relative: bool) -> None:
    condition = {"non_inferior_to": "baseline", "margin": 0.5} if relative else {"max": 2.0}
    plan = plan_of([{"metric": "grade.p95", **condition}], 200, lower_is_better=True)
    before = cells([1.0, 1.1] * 100)
    (rule,) = judged(plan, unanswered(before, missing), before if relative else None)
    assert rule.verdict == verdict
    if verdict == "inconclusive":
        assert f"{missing} without a value" in rule.reason


@pytest.mark.parametrize(("bounds", "verdict"), [(SHARE, "inconclusive"), (ANY, "pass")])
def test_a_mean_with_bounds_holds_whatever_the_missing_values_are(bounds: Bounds, verdict: Verdict) -> None:
    plan = plan_of([{"metric": "grade.mean", "min": 0.65}], 200, bounds=bounds)
    (rule,) = judged(plan, unanswered(cells([0.7, 0.8] * 100), 50))
    assert rule.verdict == verdict


@pytest.mark.parametrize(
    ("metric", "limit", "verdict"),
    [("pass^3", {"min": 0.6}, "inconclusive"), ("pass^3", {"min": 0.3}, "pass"), ("pass@3", {"max": 0.4}, "fail")],
)
def test_a_try_without_an_answer_could_have_passed_or_not(metric: str, limit: dict[str, float], verdict: Verdict) -> None:
    plan = plan_of([{"metric": f"grade.{metric}", **limit}], 60, repeat=3)
    answered = cells([1.0] * 180, 3, limit=0.5)
    some = [each if each.position >= 90 or each.repeat < 2 else unanswered([each], 1)[0] for each in answered]
    assert judged(plan, some)[0].verdict == verdict
    assert judged(plan, answered)[0].verdict == ("fail" if "max" in limit else "pass")


def test_tries_of_which_each_case_lacks_one_are_inconclusive() -> None:
    plan = plan_of([{"metric": "grade.pass^3", "min": 0.1}], 20, repeat=3)
    some = [each if each.repeat < 2 else unanswered([each], 1)[0] for each in cells([1.0] * 60, 3, limit=0.5)]
    (rule,) = judged(plan, some)
    assert (rule.verdict, rule.reason) == ("inconclusive", "no case has a value in 3 tries")


def test_a_case_that_failed_in_every_repeat_is_one_case() -> None:
    """All 30 cases of 50 that were answered fail; the others could have passed, which 20 cases of 50 do not prove."""
    plan = plan_of([{"metric": "grade.pass_rate", "max": 0.5}], 50, repeat=5)
    results = cells([0.0] * 250, 5, limit=0.5)
    some = [each if each.position >= 100 else unanswered([each], 1)[0] for each in results]
    assert judged(plan, some)[0].verdict == "inconclusive"
    few = [each if each.position >= 25 else unanswered([each], 1)[0] for each in results]
    assert judged(plan, few)[0].verdict == "pass"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (1.0, None, "inconclusive"),
        (0.0, None, "pass"),
        (None, None, "pass"),
        (1.0, 0.0, "fail"),
    ],
)
def test_a_case_that_one_evaluator_failed_to_judge_may_have_broken(
    old: float | None, new: float | None, verdict: Verdict
) -> None:
    def with_check(results: list[CellResult], value: float | None) -> list[CellResult]:
        first = replace(results[0], evaluations={**results[0].evaluations, "check": evaluation(value, 0.5)})
        return [first, *results[1:]]

    plan = plan_of([{"no_new_failures": {"tags": []}}], 5)
    check = SimpleNamespace(spec=SimpleNamespace(name="check", common=SimpleNamespace(weight=1.0)))
    plan.evaluators_of = lambda _: [*plan.evaluators, check]
    before, after = (with_check(cells([1.0] * 5, limit=0.5), value) for value in (old, new))
    (rule,) = judged(plan, after, before)
    assert (rule.verdict, rule.reason) == (verdict, {"inconclusive": "c0 without a value", "fail": "c0"}.get(verdict, ""))


@pytest.mark.parametrize("status", ["failed", "unmeasured"])
def test_a_case_that_the_only_evaluator_could_not_judge_is_not_seen_to_break(status: Literal["failed", "unmeasured"]) -> None:
    before = cells([1.0] * 5, limit=0.5)
    nothing = replace(before[0], evaluations={"grade": EvaluatorResult(status, reason="judge m: Timeout")})
    (rule,) = judged(plan_of([{"no_new_failures": {}}], 5), [nothing, *before[1:]], before)
    assert (rule.verdict, rule.reason) == ("inconclusive", "c0 without a value")
    (rule,) = judged(plan_of([{"no_new_failures": {}}], 5), unanswered(before, 1), before)
    assert (rule.verdict, rule.reason) == ("fail", "c0")


@pytest.mark.parametrize(("limit", "verdict"), [(5.0, "not judged"), (3.0, "fail")])
def test_a_sum_with_unknown_parts_is_only_known_to_be_larger(limit: float, verdict: Verdict) -> None:
    plan = plan_of([{"metric": "grade.total", "max": limit}], 6, unit="USD")
    known = cells([1.0] * 6)
    unpriced = {"grade": EvaluatorResult("unmeasured", reason="price unknown")}
    (rule,) = judged(plan, [*known[:4], *(replace(each, evaluations=unpriced) for each in known[4:])])
    assert (rule.verdict, rule.value) == (verdict, 4.0)
    assert rule.reason == ("2 cells have no known value, so that the sum is larger" if verdict == "not judged" else "")
    assert judged(plan, known[:4])[0].verdict == ("pass" if limit == 5.0 else "fail")


def test_what_the_cases_can_show_is_told_at_the_confidence_of_the_rule() -> None:
    def told(confidence: float) -> Power:
        rule = {"metric": "grade.pass_rate", "non_inferior_to": "baseline", "margin": 0.1, "confidence": confidence}
        plan = plan_of([rule, {"metric": "grade.pass_rate", "min": 0.1, "confidence": 0.6}], 200)
        results = cells([1.0] * 200, limit=0.5)
        aggregator = Aggregator(plan)
        for result in results:
            aggregator.add(result)
        found = power_of(plan, judged(plan, results, results), aggregator)
        assert found is not None
        return found

    usual, sure = told(0.95), told(0.99)
    assert (usual.drop, usual.needed) == (detectable_drop(200, 0.1), cases_for_drop(0.1, 0.1))
    assert sure.drop == detectable_drop(200, 0.1, confidence=0.99)
    assert sure.needed == cases_for_drop(0.1, 0.1, confidence=0.99)


@pytest.mark.parametrize(("limit", "cases", "wrong"), [(0.99, 22, 1), (0.98, 134, 0), (0.8, 11, 0)])
def test_a_limit_that_the_true_rate_just_keeps_is_seldom_failed_and_one_that_it_just_misses_seldom_passed(
    limit: float, cases: int, wrong: int
) -> None:
    # At a rate of 0.99 one of 22 cases or more fails with a probability of 0.20; at 0.98 all of 134 pass with one of 0.067.
    values: Sequence[float | None] = [0.0] * wrong + [1.0] * (cases - wrong)
    (rule,) = judged(plan_of([{"metric": "grade.pass_rate", "min": limit}], cases), cells(values, limit=0.5))
    assert rule.verdict == "inconclusive"


def test_a_gate_that_may_look_again_is_stricter_each_time_and_says_so() -> None:
    values: Sequence[float | None] = [1.0] * 90 + [0.0] * 10
    rules: Sequence[Mapping[str, Any]] = [{"metric": "grade.pass_rate", "min": 0.83}, {"no_new_failures": {}}]
    found = {}
    for looks in ((1,), (1, 2, 3, 4, 5)):
        plan = plan_of(rules, 100, looks=looks)
        found[looks] = judged(plan, cells(values, limit=0.5))[0]
    once, five = found.values()
    assert (once.verdict, five.verdict) == ("pass", "inconclusive")
    expected = exact_proportion([1.0] * 90 + [0.0] * 10, confidence=2 * 0.9831 - 1)
    assert expected is not None
    assert (five.low, five.high) == pytest.approx((expected.low, expected.high), abs=1e-4)
    told = "the gate may look 5 times, so each look has a confidence of 0.9831 for 0.95 in all"
    assert several_looks(plan_of(rules, 100, looks=(1, 2, 3, 4, 5))) == (told,)
    assert several_looks(plan_of(rules, 100)) == ()
