"""A comparison as people read it."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from llmops.domain.comparisons import Comparison
from llmops.evaluation.comparing import Pairs, Question, adjusted, compared
from llmops.reporting.comparison import comparison_markdown, print_comparison
from llmops.statistics.paired import UNCHANGED


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


@pytest.mark.parametrize(
    ("margin", "levels", "held"),
    [
        (None, "Intervals are two-sided at 90 %. Nothing was judged", ""),
        (0.05, "Intervals are two-sided at 90 %; margin 0.05", "; a verdict has to hold in the best and in the worst case"),
    ],
)
def test_a_verdict_is_told_with_its_margin_and_never_said_to_hold_where_it_may_not(
    margin: float | None, levels: str, held: str
) -> None:
    comparison = Comparison("a", "b", 0.95, margin, "inconclusive" if margin else "not judged", 0, (), unscored=1)
    written = Console(file=StringIO(), width=200)
    print_comparison(written, comparison)
    assert isinstance(written.file, StringIO)
    for text in (written.file.getvalue(), comparison_markdown(comparison)):
        assert levels in text
        assert f"1 pair without a value on one side{held}" in text
        assert ("hold" in text) == bool(held)


def test_a_difference_that_rounds_to_nothing_has_no_minus() -> None:
    pairs = Pairs()
    for case in range(3000):
        pairs.add(1.0, float(case > 0), case)
    metric = compared("contains.pass_rate", pairs, Question())
    assert metric is not None
    text = comparison_markdown(Comparison("a", "b", 0.95, None, "not judged", 0, adjusted([metric], "holm")))
    assert "+0.0 points" in text
    assert "-0.0 points" not in text


@pytest.mark.parametrize(
    ("name", "unit", "figures"),
    [
        ("latency.mean", "s", ["1.5 s", "250 ms", "-1.25 s [-1.25 s, -1.25 s]"]),
        ("cost.mean", "USD", ["$1.50", "$0.25", "-$1.25 [-$1.25, -$1.25]"]),
        ("tokens.mean", "tokens", ["1.5 tokens", "0.25 tokens", "-1.25 tokens [-1.25 tokens, -1.25 tokens]"]),
        ("rubric.mean", "", ["1.5", "0.25", "-1.25 [-1.25, -1.25]"]),
    ],
)
def test_figures_have_their_units(name: str, unit: str, figures: list[str]) -> None:
    pairs = Pairs()
    for case in range(12):
        pairs.add(1.5, 0.25, case)
    metric = compared(name, pairs, Question())
    assert metric is not None
    metrics = adjusted([replace(metric, unit=unit, interval=(-1.25, -1.25))], "holm")
    text = comparison_markdown(Comparison("a", "b", 0.95, None, "not judged", 0, metrics))
    row = next(line for line in text.splitlines() if line.startswith(f"| {name} "))
    assert [cell.strip() for cell in row.split("|")[2:5]] == figures


def test_metrics_that_did_not_move_take_no_rows_from_those_that_did() -> None:
    pairs = Pairs()
    for case in range(20):
        pairs.add(1.0, float(case > 3), case)
    moved = compared("contains.pass_rate", pairs, Question())
    assert moved is not None
    unmoved = replace(moved, difference=0.0, wins=0, losses=0, method=UNCHANGED)
    same = [replace(unmoved, name=name) for name in ("toxicity.hate", "toxicity.threat")]
    metrics = adjusted([replace(m, prompt="answer", target="small") for m in (*same, moved)], "holm")
    text = comparison_markdown(Comparison("a", "b", 0.95, None, "not judged", 0, metrics))
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][2:] == [
        "contains.pass\\_rate · answer · small"
    ]
    assert "answer · small · difference exactly 0: toxicity.hate, toxicity.threat" in text
