"""Figures read as people expect them, and what is not known is called so."""

from llmops.domain.reports import EvaluatorSummary, Metric
from llmops.reporting.figures import counted, estimate, headline


def test_shares_are_percentages_with_their_interval() -> None:
    assert estimate(Metric("a.pass_rate", 0.5, 0.25, 0.75, 8, "%")) == "50.0 % [25.0, 75.0]"
    assert estimate(Metric("a.mean", 0.5, None, None, 1)) == "0.5"


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
