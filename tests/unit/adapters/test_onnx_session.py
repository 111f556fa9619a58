"""Batches, and the threads that work on them."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.adapters.onnx_session import TOKENS_PER_BATCH, batches, cores, equal_batches, in_threads


def test_batches_hold_similar_lengths_within_both_bounds() -> None:
    lengths = [256, 3, 250, 8, 4, *[256] * 40]
    found = batches(lengths, 32)
    assert sorted(i for batch in found for i in batch) == list(range(len(lengths)))
    assert found[-1][:3] == [1, 4, 3]
    assert all(len(batch) * lengths[batch[-1]] <= TOKENS_PER_BATCH for batch in found)
    assert [len(batch) for batch in batches([5] * 70, 32)] == [6, 32, 32]


def test_few_texts_are_shared_out_and_the_longest_come_first() -> None:
    assert batches([5, 9, 6, 7], 32, threads=2) == [[3, 1], [0, 2]]
    assert batches([100] * 20, 16, threads=4) == [[18, 19], *([n, n + 1] for n in range(16, -1, -2))]
    assert batches([], 16, threads=4) == []
    assert batches([9], 16, threads=4) == [[0]]


@pytest.mark.parametrize("threads", [1, 3])
def test_work_is_done_beside_and_comes_back_in_order(threads: int) -> None:
    meet = threading.Barrier(threads, timeout=20)

    def work(number: int) -> int:
        if number < threads:
            meet.wait()
        return number * 2

    assert in_threads(work, range(9), threads) == list(range(0, 18, 2))
    assert in_threads(work, [], threads) == []


def test_an_error_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda number: 1 / number, [1, 0], 2)


def test_as_many_threads_as_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert cores() >= 1


@given(st.lists(st.integers(1, 9), max_size=80), st.integers(1, 5))
def test_equal_batches_hold_each_text_once_beside_others_of_its_length(lengths: list[int], size: int) -> None:
    found = equal_batches(lengths, size)
    assert sorted(position for batch in found for position in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size and len({lengths[position] for position in batch}) == 1 for batch in found)
    assert [lengths[batch[0]] for batch in found] == sorted((lengths[batch[0]] for batch in found), reverse=True)
