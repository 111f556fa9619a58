import pytest

from llmops.rag.fusing import reciprocal_rank_fusion


def test_sums_of_reciprocal_ranks() -> None:
    fused = reciprocal_rank_fusion([["a", "b"], ["b", "c"]])
    assert [key for key, _ in fused] == ["b", "a", "c"]
    assert fused[0][1] == pytest.approx(1 / 62 + 1 / 61)


def test_weights_shift_the_order() -> None:
    rankings = [["a", "b"], ["b", "a"]]
    assert [key for key, _ in reciprocal_rank_fusion(rankings, weights=[2.0, 1.0])] == ["a", "b"]
    assert [key for key, _ in reciprocal_rank_fusion(rankings, weights=[0.5, 1.0])] == ["b", "a"]


def test_equal_sums_are_ordered_by_id() -> None:
    assert [key for key, _ in reciprocal_rank_fusion([["z"], ["a"]])] == ["a", "z"]


def test_nothing_found_is_nothing_fused() -> None:
    assert reciprocal_rank_fusion([[], []]) == []
