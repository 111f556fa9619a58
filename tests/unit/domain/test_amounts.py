"""Amounts read as people expect them, and what is not known is called so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.amounts import amount, dollars, seconds


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
        (-0.0025, "-$0.0025"),
    ],
)
def test_dollars_keep_two_digits_however_small(value: float | None, shown: str) -> None:
    assert dollars(value) == shown


@given(st.floats(min_value=1e-7, max_value=1e6))
def test_dollars_are_within_a_twentieth_of_the_value(value: float) -> None:
    assert float(dollars(value).removeprefix("$").replace(",", "")) == pytest.approx(value, rel=0.06)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "not measured"), (4.24e-4, "424 µs"), (0.0607, "60.7 ms"), (1.5, "1.5 s"), (150, "2.5 min"), (-0.0607, "-60.7 ms")],
)
def test_durations_choose_their_unit(value: float | None, shown: str) -> None:
    assert seconds(value) == shown


def test_an_amount_has_its_unit_and_three_digits() -> None:
    assert amount(1234.6, "tokens") == "1,235 tokens"
    assert amount(0.0012634, "s") == "1.26 ms"
    assert amount(0.0126, "") == "0.0126"
