"""A comparison as people read it."""

from llmops.domain.comparisons import Comparison
from llmops.evaluation.comparing import Pairs, Question, adjusted, compared
from llmops.reporting.comparison import comparison_markdown


def test_a_tiny_p_value_is_not_zero() -> None:
    pairs = Pairs()
    for case in range(80):
        pairs.add(1.0, float(case % 2), case)
    metric = compared("m", pairs, Question())
    assert metric is not None
    metrics = adjusted([metric], "holm")
    text = comparison_markdown(Comparison("a", "b", 0.95, None, "not judged", 0, metrics))
    row = next(line for line in text.splitlines() if line.startswith("| m "))
    assert row.split("|")[5].strip() == "\\<0.001"
