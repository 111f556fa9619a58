"""Figures read as people expect them, and what is not known is called so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.reports import EvaluatorSummary, Metric
from llmops.reporting.figures import amount, counted, dollars, estimate, headline, seconds


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        (0, "$0"),
        (1234.5, "$1,234.50"),
        (0.046875, "$0.047"),
        (0.0025, "$0.0025"),
        (7.08e-5, "$0.000071"),
        (1e-9, "$1.0e-09"),
    ],
)
def test_dollars_keep_two_digits_however_small(value: float | None, shown: str) -> None:
    assert dollars(value) == shown


@given(st.floats(min_value=1e-7, max_value=1e6))
def test_dollars_are_within_a_twentieth_of_the_value(value: float) -> None:
    assert float(dollars(value).removeprefix("$").replace(",", "")) == pytest.approx(value, rel=0.06)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "not measured"), (4.24e-4, "424 µs"), (0.0607, "60.7 ms"), (1.5, "1.5 s"), (150, "2.5 min")],
)
def test_durations_choose_their_unit(value: float | None, shown: str) -> None:
    assert seconds(value) == shown


def test_shares_are_percentages_with_their_interval() -> None:
    assert estimate(Metric("a.pass_rate", 0.5, 0.25, 0.75, 8, "%")) == "50.0 % [25.0, 75.0]"
    assert estimate(Metric("a.mean", 0.5, None, None, 1)) == "0.5"
    assert amount(1234.6, "tokens") == "1,235 tokens"


def summary(kind: str, *metrics: Metric, judged: int = 0) -> EvaluatorSummary:
    return EvaluatorSummary("e", kind, 3, 1, 2, 1, judged, metrics)


def test_a_headline_is_the_rate_where_a_threshold_applied_and_the_mean_where_none_did() -> None:
    metrics = (Metric("e.pass_rate", 1.0, None, None, 3, "%"), Metric("e.mean", 0.25, None, None, 3))
    assert headline(summary("toxicity", *metrics, judged=3)) == "100.0 %"
    assert headline(summary("toxicity", *metrics)) == "0.25"
    assert headline(summary("toxicity")) == "not measured"
    quantiles = (Metric("e.p50", 0.1, None, None, 3, "s"), Metric("e.p95", 0.2, None, None, 3, "s"))
    assert headline(summary("latency", *quantiles)) == "p50 100 ms, p95 200 ms"


def test_counts_name_failed_and_unmeasured_apart() -> None:
    assert counted(summary("toxicity")) == "3 scored · 1 failed · 2 unmeasured"
