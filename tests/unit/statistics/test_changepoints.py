"""Changes of the same cases over runs."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from llmops.statistics import changepoints
from llmops.statistics.changepoints import Series, cusum, find_changes

Table = NDArray[np.float64]
NAN = float("nan")


def flips(generator: np.random.Generator, rates: Table, runs: int) -> Table:
    return (generator.random((len(rates), runs)) < rates[:, None]).astype(float)


def found(table: Table, *, rate: bool = True, seed: int = 1) -> Series:
    (only,) = find_changes([table], rates=[rate], seed=seed)
    return only


@given(st.lists(st.integers(0, 3), min_size=2, max_size=5), st.integers(0, 4))
def test_the_deviation_is_that_of_all_orders_of_a_cases_values(values: list[int], gap: int) -> None:
    places = [each for each in range(len(values) + 1) if each != gap]
    orders = [list(order) for order in permutations(values)]
    tables = np.full((len(orders), len(values) + 1), NAN)
    tables[:, places[: len(values)]] = orders
    sums, variances = changepoints._by_case(tables)
    assert np.allclose(sums.mean(axis=0), 0)
    assert np.allclose((sums**2).mean(axis=0), variances[0])


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=5, max_size=5), min_size=1, max_size=6))
def test_it_depends_on_the_order_of_runs_alone_and_on_that_alike_from_both_ends(rows: list[list[float]]) -> None:
    table = np.array(rows)
    statistic = cusum(table)
    assert np.allclose(cusum(table[::-1] * 3 + 7), statistic)
    assert np.allclose(cusum(table[:, ::-1])[::-1], statistic)


def test_the_p_value_is_that_of_all_orders() -> None:
    table = np.array([[0.0, 1.0, 3.0], [1.0, 2.0, 2.0]])
    observed = cusum(table).max()
    orders = [np.array([a, b]) for a in permutations(table[0]) for b in permutations(table[1])]
    exact = np.mean([cusum(each).max() >= observed - 1e-9 for each in orders])
    assert found(table, rate=False).p_value == pytest.approx(exact, abs=0.04)


def test_orders_that_are_as_far_from_steady_count_for_the_p_value() -> None:
    table = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], *[[1.0, 1.0, 0.0]] * 4])
    orders = product(*[set(permutations(row)) for row in table])
    exact = np.mean([cusum(np.array(each)).max() >= cusum(table).max() - 1e-9 for each in orders])
    assert exact > 0.055
    assert found(table).p_value == pytest.approx(exact, abs=0.02)
    assert [found(table, seed=seed).changes for seed in range(5)] == [()] * 5


@pytest.mark.parametrize("at", [1, 4, 7])
def test_a_jump_is_found_where_it_is(at: int) -> None:
    table = flips(np.random.default_rng(at + 20), np.full(60, 0.8), 8)
    table[:30, at:] = 0
    (change,) = found(table).changes
    assert change.at == at
    assert change.earliest <= at <= change.latest


def test_a_change_that_was_taken_back_is_two() -> None:
    table = flips(np.random.default_rng(3), np.full(80, 0.9), 9)
    table[:40, 3:6] = 0
    assert [change.at for change in found(table).changes] == [3, 6]


def test_nothing_that_varies_is_no_change_and_a_small_one_would_be_found() -> None:
    same = found(np.ones((40, 5)))
    assert (same.p_value, same.changes) == (1.0, ())
    assert same.smallest is not None
    assert 0 < same.smallest < 0.2
    assert found(np.full((3, 4), 0.1 + 0.2)).changes == ()


def test_a_rate_of_so_few_cases_shows_nothing() -> None:
    assert found(np.array([[0.0, 1.0], [1.0, 0.0]])).smallest is None
    assert found(np.array([[1.0, NAN], [1.0, NAN]])).smallest is None


@pytest.mark.parametrize(("cases", "runs", "flips"), [(100, 10, 2), (20, 2, 6), (20, 30, 2)])
def test_where_nothing_varies_the_smallest_change_is_that_of_as_many_flips_as_it_takes(
    cases: int, runs: int, flips: int
) -> None:
    table = np.ones((cases, runs))
    smallest = found(table).smallest
    assert smallest is not None
    assert stats.binom.sf(flips - 1, cases, smallest) == pytest.approx(0.8)
    table[: flips - 1, -1] = 0
    assert found(table).changes == ()
    table[:flips, -1] = 0
    assert [each.at for each in found(table).changes] == [runs - 1]


@pytest.mark.parametrize("rate", [True, False])
def test_too_few_cases_show_no_change_at_all(rate: bool) -> None:
    table = np.ones((5, 2))
    assert found(table, rate=rate).smallest is None
    table[:, -1] = 0
    assert found(table, rate=rate).changes == ()


def test_the_same_values_give_the_same_figures() -> None:
    table = flips(np.random.default_rng(5), np.full(30, 0.6), 6)
    assert find_changes([table, table], rates=[True, True]) == find_changes([table, table], rates=[True, True])


@pytest.mark.parametrize(("cases", "runs", "missing"), [(20, 2, 0.0), (12, 9, 0.2)])
def test_a_change_is_seldom_claimed_when_there_is_none(
    monkeypatch: pytest.MonkeyPatch, cases: int, runs: int, missing: float
) -> None:
    monkeypatch.setattr(changepoints, "SHUFFLES", 99)
    generator = np.random.default_rng(11)
    claimed = 0
    for seed in range(200):
        tables = [flips(generator, generator.beta(2, 1, cases), runs) for _ in range(2)]
        for table in tables:
            table[generator.random(table.shape) < missing] = NAN
        claimed += any(each.changes for each in find_changes(tables, rates=[True, True], seed=seed))
    assert claimed / 200 <= 0.05 + 2.33 * (0.05 * 0.95 / 200) ** 0.5  # 99 % of such shares at 5 %


def test_the_smallest_change_is_found_four_times_in_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changepoints, "SHUFFLES", 99)
    generator = np.random.default_rng(12)
    smallest = found(flips(generator, np.full(100, 0.9), 8)).smallest
    assert smallest is not None
    hits, covered = 0, 0
    for seed in range(100):
        table = flips(generator, np.full(100, 0.9), 8)
        table[:, -1] = generator.random(100) < 0.9 - smallest
        changes = found(table, seed=seed).changes
        hits += bool(changes)
        covered += any(each.earliest <= 7 <= each.latest for each in changes)
    assert hits >= 70
    assert covered >= 0.95 * hits
