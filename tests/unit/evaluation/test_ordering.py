import random

import pytest

from llmops.domain.runs import CellResult
from llmops.evaluation.ordering import InOrder


def result(position: int) -> CellResult:
    return CellResult(position, f"c{position}", "p", "t", 0, "scored", "x", None, {})


def handed_on(positions: list[int], *, most: int = 100) -> list[int]:
    taken: list[int] = []
    ordered = InOrder(lambda each: taken.append(each.position), most=most)
    for position in positions:
        ordered.add(result(position))
    ordered.rest()
    return taken


@pytest.mark.parametrize("seed", range(5))
def test_results_are_handed_on_in_the_plans_order(seed: int) -> None:
    positions = list(range(40))
    random.Random(seed).shuffle(positions)
    assert handed_on(positions) == list(range(40))


def test_a_result_goes_on_as_soon_as_nothing_is_missing_before_it() -> None:
    taken: list[int] = []
    ordered = InOrder(lambda each: taken.append(each.position))
    seen = []
    for position in (1, 0, 3, 2):
        ordered.add(result(position))
        seen.append(list(taken))
    assert seen == [[], [0, 1], [0, 1], [0, 1, 2, 3]]


def test_cells_that_were_never_run_leave_no_hole_behind() -> None:
    assert handed_on([7, 5, 0, 9]) == [0, 5, 7, 9]


def test_so_many_wait_for_a_slow_cell_and_no_more() -> None:
    assert handed_on([1, 2, 4, 3, 0], most=2) == [1, 2, 3, 4, 0]
