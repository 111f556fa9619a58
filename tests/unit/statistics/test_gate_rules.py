"""Verdicts from intervals."""

import pytest

from llmops.domain.reports import Verdict
from llmops.statistics.gate import impute, interval_confidence, judge_absolute, judge_relative, overall, settle
from llmops.statistics.intervals import Estimate, quantile_interval, wilson
from llmops.statistics.paired import PairedDifference, paired_difference


def estimate(low: float | None, high: float | None) -> Estimate:
    return Estimate(0.8, low, high, 100, "test")


def difference(low: float | None, high: float | None) -> PairedDifference:
    return PairedDifference(0.0, low, high, 100, 1, 1, 98, None, "test")


@pytest.mark.parametrize(
    ("low", "high", "minimum", "maximum", "verdict"),
    [
        (0.81, 0.9, 0.8, None, "pass"),
        (0.8, 0.9, 0.8, None, "pass"),
        (0.75, 0.85, 0.8, None, "inconclusive"),
        (0.6, 0.79, 0.8, None, "fail"),
        (0.1, 0.2, None, 0.3, "pass"),
        (0.25, 0.35, None, 0.3, "inconclusive"),
        (0.31, 0.4, None, 0.3, "fail"),
        (0.4, 0.6, 0.3, 0.7, "pass"),
        (0.4, 0.8, 0.3, 0.7, "inconclusive"),
        (0.1, 0.2, 0.3, 0.7, "fail"),
        (2.0, None, None, 1.0, "fail"),
        (0.5, None, None, 1.0, "not judged"),
        (None, None, 0.5, None, "not judged"),
        (0.6, None, 0.5, None, "pass"),
    ],
)
def test_absolute_rules(
    low: float | None, high: float | None, minimum: float | None, maximum: float | None, verdict: Verdict
) -> None:
    assert judge_absolute(estimate(low, high), minimum=minimum, maximum=maximum) == verdict


def test_an_interval_that_cannot_be_had_gives_the_verdict_asked_for() -> None:
    p99 = quantile_interval([0.1] * 100, 0.99, confidence=interval_confidence(0.95))
    assert judge_absolute(p99, maximum=1.0) == "not judged"
    slow = quantile_interval([5.0] * 100, 0.99, confidence=interval_confidence(0.95))
    assert judge_absolute(slow, maximum=1.0) == "fail"
    assert judge_relative(difference(None, None), 0.1, not_estimable="not judged") == "not judged"
    assert judge_relative(difference(None, None), 0.1) == "inconclusive"


def test_nothing_measured_is_not_judged() -> None:
    assert judge_absolute(None, minimum=0.5) == "not judged"
    assert judge_relative(None, 0.05) == "not judged"
    with pytest.raises(ValueError, match="a minimum or a maximum"):
        judge_absolute(None)


def test_a_rule_at_95_reads_the_interval_at_90() -> None:
    # 26 of 27 passes: the one-sided 95 % bound is above 0.83, the one-sided 97.5 % bound below.
    assert interval_confidence(0.95) == pytest.approx(0.9)
    assert judge_absolute(wilson(26, 27, interval_confidence(0.95)), minimum=0.84) == "pass"
    assert judge_absolute(wilson(26, 27, interval_confidence(0.975)), minimum=0.84) == "inconclusive"
    with pytest.raises(ValueError, match="above 0.5"):
        interval_confidence(0.5)


@pytest.mark.parametrize(
    ("low", "high", "margin", "verdict"),
    [
        (-0.04, 0.01, 0.05, "pass"),
        (-0.06, 0.01, 0.05, "inconclusive"),
        (-0.05, 0.01, 0.05, "inconclusive"),
        (-0.2, -0.06, 0.05, "fail"),
        (-0.2, -0.01, 0.05, "inconclusive"),
    ],
)
def test_non_inferiority(low: float, high: float, margin: float, verdict: Verdict) -> None:
    assert judge_relative(difference(low, high), margin) == verdict
    assert judge_relative(difference(-high, -low), margin, lower_is_better=True) == verdict


@pytest.mark.parametrize(
    ("low", "high", "margin", "verdict"),
    [(0.01, 0.1, 0.0, "pass"), (-0.01, 0.1, 0.0, "inconclusive"), (-0.1, -0.01, 0.0, "fail"), (0.01, 0.04, 0.05, "fail")],
)
def test_superiority(low: float, high: float, margin: float, verdict: Verdict) -> None:
    assert judge_relative(difference(low, high), margin, "superior_to") == verdict


def test_a_comparison_without_a_change_is_no_loss_and_no_gain() -> None:
    same = [1.0, 0.0, 1.0]
    known = paired_difference(same, same, unchanged=True, confidence=0.9)
    assert judge_relative(known, 0.05) == "pass"
    assert judge_relative(known, 0.0, "superior_to") == "fail"
    assert judge_relative(paired_difference(same, same, confidence=0.9), 0.05) == "inconclusive"


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="-0.1"):
        judge_relative(difference(0, 0), -0.1)


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([], "not judged"),
        (["not judged"], "not judged"),
        (["pass", "not judged"], "pass"),
        (["pass", "inconclusive"], "inconclusive"),
        (["inconclusive", "fail", "pass"], "fail"),
    ],
)
def test_every_rule_must_pass(verdicts: list[Verdict], whole: Verdict) -> None:
    assert overall(verdicts) == whole


def test_missing_values_that_could_change_the_verdict_make_it_inconclusive() -> None:
    measured: list[float | None] = [*[1.0] * 190, *[0.0] * 10]
    for missing, verdict in ((0, "pass"), (5, "pass"), (40, "inconclusive")):
        best, worst = impute(measured + [None] * missing, [0.0] * (200 + missing), bounds=(0, 1))
        assert len(best.candidate) == len(worst.candidate) == 200 + missing
        verdicts: list[Verdict] = [
            judge_absolute(wilson(int(sum(side.candidate)), len(side.candidate), 0.9), minimum=0.88) for side in (best, worst)
        ]
        estimate_verdict = judge_absolute(wilson(190, 200, 0.9), minimum=0.88)
        assert settle(estimate_verdict, *verdicts) == verdict
    assert settle("not judged", "pass", "fail") == "not judged"


def test_imputation_turns_the_baseline_the_other_way() -> None:
    best, worst = impute([None, 1.0], [0.5, None], bounds=(0, 1))
    assert (best.candidate, best.baseline) == ((1.0, 1.0), (0.5, 0.0))
    assert (worst.candidate, worst.baseline) == ((0.0, 1.0), (0.5, 1.0))
    best, worst = impute([None], [None], bounds=(0, 4), lower_is_better=True)
    assert (best.candidate, worst.candidate, best.baseline) == ((0,), (4,), (4,))
