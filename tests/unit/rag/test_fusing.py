import pytest

from llmops.rag.fusing import STATIC_FUSIONS, Fusion, fusion_of, reciprocal_rank_fusion
from llmops.settings.indexes import IndexSettings


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


def test_a_ranking_without_weight_does_not_count() -> None:
    assert reciprocal_rank_fusion([["a"], ["b"]], weights=[0.0, 1.0]) == [("b", 1 / 61)]


def test_the_fusion_of_an_index_is_that_of_its_settings_else_of_its_embedder() -> None:
    def index(kind: str, **retrieve: float | str) -> IndexSettings:
        settings = {"corpus": {"paths": ["*.md"]}, "embedder": {"kind": kind}, "retrieve": retrieve}
        return IndexSettings.model_validate(settings)

    assert fusion_of(index("minilm")) == Fusion(1.0, 60)
    assert fusion_of(index("minilm", dense_weight=0.5)) == Fusion(0.5, 60)
    assert fusion_of(index("static")) == STATIC_FUSIONS["weighted"]
    assert fusion_of(index("static", fuse="rrf")) == STATIC_FUSIONS["rrf"]
    assert fusion_of(index("static", dense_weight=1.0)) == Fusion(1.0, 60)
