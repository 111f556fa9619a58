"""Adjusted p-values against statsmodels."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from llmops.statistics.adjust import benjamini_hochberg, holm


@pytest.fixture(autouse=True, scope="module")
def little_to_collect() -> Iterator[None]:
    """`multipletests` collects the garbage of the whole process each time, which takes long after other tests."""
    gc.freeze()
    yield
    gc.unfreeze()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_both_agree_with_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1])


def test_the_example_of_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_nothing_to_adjust_and_what_is_no_p_value() -> None:
    assert holm([]) == benjamini_hochberg([]) == ()
    with pytest.raises(ValueError, match="1.2"):
        holm([0.5, 1.2])
