"""What a spreadsheet would run as a formula is text in a CSV file."""

import pytest

from llmops.reporting.documents import spreadsheet


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\ttab", '\n=HYPERLINK("x")', "\nline", "  =1"]
    + ["\uff1d1", "\uff0b1", "\uff0d1", "\uff20SUM(1)", "\n\uff1d1", "\x1b[0m=1"],
)
def test_a_formula_gets_a_quote(cell: str) -> None:
    assert str(spreadsheet(cell)).startswith("'")


@pytest.mark.parametrize("cell", ["text", "a=b", "1-2", "", "a\n=b", -1, 0.5, None])
def test_other_cells_stay_as_they_are(cell: object) -> None:
    assert spreadsheet(cell) == cell
