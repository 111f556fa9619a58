from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.rag.fitting import fitted
from llmops.rag.splitting import Piece


def pieces(sizes: list[int]) -> list[Piece]:
    """Each a character long."""
    return [Piece(at, at + 1, size, "sentence") for at, size in enumerate(sizes)]


def cut(sizes: list[int], room: int, overlap: int = 0, costs: list[float] | None = None) -> list[list[int]]:
    """The sizes in each chunk."""
    found = fitted(pieces(sizes), room, overlap, costs or [0.0] * len(sizes))
    return [sizes[start:end] for start, end in found]


def test_chunks_are_few_and_even_instead_of_full_with_a_rest() -> None:
    assert sorted(map(len, cut([10] * 11, 100))) == [5, 6]
    assert cut([10] * 10, 100) == [[10] * 10]
    assert cut([60, 60, 5], 100) == [[60], [60, 5]]


def test_an_end_that_costs_less_is_worth_some_unevenness() -> None:
    costs = [0.2, 0.2, 0.2, 0.0, 0.2, 0.2]
    assert cut([20] * 6, 80, costs=costs) == [[20] * 4, [20] * 2]
    assert cut([20] * 6, 80) == [[20] * 3, [20] * 3]
    assert cut([20] * 4, 80, costs=[0.0, -3.0, 0.0, 0.0]) == [[20] * 2, [20] * 2]


def test_neighbours_share_whole_pieces_up_to_the_overlap() -> None:
    assert cut([10] * 6, 40, overlap=19) == [[10] * 4, [10] * 3]
    assert cut([10, 30, 30, 10], 50, overlap=20) == [[10, 30], [30, 10]]
    assert cut([40, 40], 40, overlap=20) == [[40], [40]]


def test_no_text_no_chunks() -> None:
    assert cut([], 40) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=9), st.integers(12, 40), st.data())
def test_nothing_costs_less(sizes: list[int], room: int, data: st.DataObject) -> None:
    costs = data.draw(st.lists(st.floats(-0.3, 0.5), min_size=len(sizes), max_size=len(sizes)))
    found = list(fitted(pieces(sizes), room, 0, costs))

    def cost(ends: list[int]) -> float:
        starts = [0, *ends[:-1]]
        used = [sum(sizes[start:end]) for start, end in zip(starts, ends, strict=True)]
        if max(used) > room:
            return float("inf")
        return sum((1 - each / room) ** 2 for each in used) + sum(costs[end - 1] for end in ends[:-1])

    inner = range(1, len(sizes))
    every = [[*ends, len(sizes)] for count in range(len(sizes)) for ends in combinations(inner, count)]
    assert cost([end for _, end in found]) == pytest.approx(min(map(cost, every)))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(12, 40), st.integers(0, 20))
def test_everything_is_held_in_order_and_fits(sizes: list[int], room: int, overlap: int) -> None:
    found = list(fitted(pieces(sizes), room, overlap, [0.0] * len(sizes)))
    assert (found[0][0], found[-1][1]) == (0, len(sizes))
    for (start, end), (following, after) in zip(found, found[1:], strict=False):
        assert start < following <= end < after
        assert sum(sizes[following:end]) <= overlap
    assert all(sum(sizes[start:end]) <= room for start, end in found)
