"""Figures read as people expect them, and what is not known is called so."""

from dataclasses import replace

from llmops.domain.reports import EvaluatorSummary, Metric, RuleVerdict
from llmops.reporting.figures import counted, estimate, estimate_of, headline, levels


def test_shares_are_percentages_with_their_interval() -> None:
    assert estimate(Metric("a.pass_rate", 0.5, 0.25, 0.75, 8, "%")) == "50.0 % [25.0, 75.0]"
    assert estimate(Metric("a.mean", 0.5, None, None, 1)) == "0.5"


def test_a_rule_has_its_figure_in_the_unit_of_its_metric() -> None:
    rule = RuleVerdict("latency.p95 <= 2", "p", "t", "pass", -0.0021, -0.004, 0.0001234, 8, unit="s")
    assert estimate_of(rule) == "-2.1 ms [-4 ms, 123 µs] n=8"
    assert estimate_of(replace(rule, value=0.5, low=0.27, high=0.73, unit="")) == "0.5 [0.27, 0.73] n=8"
    assert estimate_of(replace(rule, value=0.02, low=None, unit="USD")) == "$0.020 n=8"
    assert estimate_of(replace(rule, value=2.0, low=None, unit="cells")) == "2 of 8 cells failed"
    assert estimate_of(replace(rule, value=0.0, low=None, unit="new failures")) == "0 of 8 cells newly failed"


def test_the_confidence_of_the_gate_stands_beside_that_of_the_table() -> None:
    rule = RuleVerdict("a.mean >= 2", "p", "t", "pass", 3.0, 2.5, 3.5, 8, confidence=2 * 0.95 - 1)
    assert levels([rule, rule]) == "intervals: 95 %, in the gate 90 %"
    assert levels([rule, replace(rule, confidence=0.98)]) == "intervals: 95 %, in the gate 90 to 98 %"
    assert levels([]) == levels([replace(rule, low=None)]) == levels([replace(rule, confidence=None)]) == "intervals: 95 %"


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
