from collections.abc import Sequence, Set
from dataclasses import replace

import numpy as np
import pytest
from rag_fakes import FakeEmbedder, FakeVectors

from llmops.domain.queries import Query, Written
from llmops.domain.retrieval import Chunk
from llmops.rag.fusing import Fusion
from llmops.rag.retrieving import Retriever, retrieval_identity
from llmops.settings.retrieval import RetrieveSettings


class FakeLexical:
    """Gives the same ranking for each query."""

    def __init__(self, ranking: Sequence[tuple[str, float]] = ()) -> None:
        self.ranking = list(ranking)
        self.asked: list[str] = []

    def query(self, texts: Sequence[str], k: int, among: Set[str] | None = None) -> list[list[tuple[str, float]]]:
        self.asked += texts
        return [[hit for hit in self.ranking if among is None or hit[0] in among][:k] for _ in texts]


TEXTS = {"a": "apple pie recipe", "b": "banana bread recipe", "c": "cherry cake"}


def retriever(settings: RetrieveSettings, ranking: Sequence[tuple[str, float]] = ()) -> Retriever:
    chunks = {key: Chunk(key, f"{key}.md", 3, 3 + len(text), text, ("Cakes", key)) for key, text in TEXTS.items()}
    embedder, vectors = FakeEmbedder(), FakeVectors()
    vectors.upsert(list(chunks.values()), embedder.embed([chunk.text for chunk in chunks.values()]))
    return Retriever(settings, embedder, vectors, FakeLexical(ranking), chunks)


def test_hits_carry_place_heading_and_the_score_of_each_stage() -> None:
    found = retriever(RetrieveSettings(k=2), [("b", 7.5)])
    (hits,) = found.retrieve(["banana bread recipe"])
    assert [hit.chunk for hit in hits] == ["b", "a"]
    best = hits[0]
    assert (best.text, best.source, best.heading, best.start, best.end) == ("banana bread recipe", "b.md", "Cakes > b", 3, 22)
    assert best.scores == {"dense": pytest.approx(1.0, abs=1e-5), "bm25": 7.5, "fused": pytest.approx(2.0, abs=1e-6)}
    assert hits[1].scores.keys() == {"dense", "fused"}
    assert not best.given


def test_each_stage_can_be_switched_off() -> None:
    lexical = retriever(RetrieveSettings(dense=0), [("c", 1.0)])
    assert [[hit.chunk for hit in hits] for hits in lexical.retrieve(["banana"])] == [["c"]]
    assert isinstance(lexical.vectors, FakeVectors)
    assert lexical.vectors.calls == 1
    dense = retriever(RetrieveSettings(bm25=0), [("c", 1.0)])
    assert [hit.chunk for hit in dense.retrieve(["banana bread"])[0]][0] == "b"
    assert all("bm25" not in hit.scores for hit in dense.retrieve(["banana bread"])[0])


def test_blank_queries_have_no_hits_and_equal_ones_are_asked_once() -> None:
    found = retriever(RetrieveSettings(k=1), [("a", 1.0)])
    answers = found.retrieve(["apple", " ", "apple"])
    assert [len(hits) for hits in answers] == [1, 0, 1]
    assert isinstance(found.lexical, FakeLexical)
    assert found.lexical.asked == ["apple"]
    assert found.retrieve([]) == []


def test_the_identity_follows_the_index_and_the_way_of_asking() -> None:
    found = retrieval_identity("key", RetrieveSettings())
    assert found != retrieval_identity("other", RetrieveSettings())
    assert found != retrieval_identity("key", RetrieveSettings(k=6))
    assert found == retrieval_identity("key", RetrieveSettings(), Fusion())
    assert found != retrieval_identity("key", RetrieveSettings(), Fusion(k=5))


def test_the_fusion_weighs_the_stages() -> None:
    found = retriever(RetrieveSettings(k=1, dense=1), [("c", 5.0)])
    assert replace(found, fusion=Fusion(0.1)).retrieve(["banana bread"])[0][0].chunk == "c"
    assert replace(found, fusion=Fusion(10.0)).retrieve(["banana bread"])[0][0].chunk == "b"


def test_only_chunks_for_which_all_of_where_holds_are_searched() -> None:
    ranking = [("a", 3.0), ("b", 2.0), ("c", 1.0)]
    chunks = {
        key: replace(chunk, metadata={"year": n}) for n, (key, chunk) in enumerate(retriever(RetrieveSettings()).chunks.items())
    }

    def found(**where: object) -> set[str | None]:
        asked = retriever(RetrieveSettings.model_validate({"where": where}), ranking)
        return {hit.chunk for hit in replace(asked, chunks=chunks).retrieve(["banana bread recipe"])[0]}

    assert found(documents=["[ab].md"]) == {"a", "b"}
    assert found(headings=["CAKES"]) == {"a", "b", "c"}
    assert found(headings=["c"]) == {"c"}
    assert found(metadata={"year": 1}) == {"b"}
    assert found(documents=["a.md"], metadata={"year": 1}) == set()


def test_a_query_that_nothing_answers_well_has_no_hits() -> None:
    far = RetrieveSettings.model_validate({"abstain": {"cosine": 0.9}})
    assert [len(hits) for hits in retriever(far).retrieve(["banana bread recipe", "zebra"])] == [3, 0]


def test_weighted_fusion_counts_scores_and_not_ranks() -> None:
    ranking = [("a", 10.0), ("b", 9.9), ("c", 0.1)]
    by_score = retriever(RetrieveSettings(fuse="weighted"), ranking).retrieve(["banana bread recipe"])[0]
    assert [hit.chunk for hit in by_score] == ["b", "a", "c"]
    assert by_score[0].scores["fused"] == pytest.approx(1 + 9.8 / 9.9, abs=1e-6)


def test_an_option_that_is_not_used_leaves_the_identity_alone() -> None:
    plain = retrieval_identity("key", RetrieveSettings())
    assert retrieval_identity("key", RetrieveSettings(mmr=None)) == plain
    used: tuple[dict[str, object], ...] = (
        {"mmr": 0.5}, {"neighbours": 1}, {"max_tokens": 100}, {"abstain": {"cosine": 0.1}}, {"where": {"headings": ["x"]}}
    )  # fmt: skip
    assert len({plain, *(retrieval_identity("key", RetrieveSettings.model_validate(each)) for each in used)}) == 6
    assert retrieval_identity("key", RetrieveSettings(), reranker="model@1") != plain


def test_every_wording_is_searched_for_and_fused_with_the_query() -> None:
    found = retriever(RetrieveSettings(dense=1, bm25=1, k=3), [("c", 1.0)])
    plain, both = found.search([Query("apple pie"), Query("apple pie", ("banana bread", "cherry cake"))])
    assert [hit.chunk for hit in plain] == ["a", "c"]
    assert {hit.chunk for hit in both} == {"a", "b", "c"}
    assert both[0].chunk == "c"  # of four of the six rankings
    assert isinstance(found.lexical, FakeLexical)
    assert found.lexical.asked == ["apple pie", "banana bread", "cherry cake"]


def test_a_stage_scores_a_hit_with_the_best_of_the_wordings() -> None:
    (hits,) = retriever(RetrieveSettings(k=3)).search([Query("zebra", ("banana bread recipe", "banana"))])
    assert hits[0].scores["dense"] == pytest.approx(1.0, abs=1e-5)


def test_made_up_passages_move_the_vector_and_leave_bm25_alone() -> None:
    found = retriever(RetrieveSettings(dense=1, bm25=1, k=3))
    (hits,) = found.search([Query("bread", passages=("cherry cake", "cherry cake recipe"))])
    assert hits[0].chunk == "c"
    embedder = FakeEmbedder()
    mean = embedder.embed(["bread", "cherry cake", "cherry cake recipe"]).sum(axis=0)
    expected = mean / np.linalg.norm(mean) @ embedder.embed(["cherry cake"])[0]
    assert hits[0].scores["dense"] == pytest.approx(float(expected), abs=1e-5)
    assert isinstance(found.lexical, FakeLexical)
    assert found.lexical.asked == ["bread"]


class FakeWriter:
    identity = "writer@1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def written(self, texts: Sequence[str]) -> list[Written]:
        self.asked += texts
        return [Written(Query(text, (f"{text} bread",))) for text in texts]


def test_a_writer_is_asked_once_for_each_query_that_says_anything() -> None:
    writer = FakeWriter()
    found = replace(retriever(RetrieveSettings(k=1, dense=1, bm25=0)), writer=writer)
    assert [[hit.chunk for hit in hits] for hits in found.retrieve(["banana", " ", "banana"])] == [["b"], [], ["b"]]
    assert writer.asked == ["banana"]
    assert [hit.chunk for hit in found.search([Query("apple")])[0]] == ["a"]
    assert writer.asked == ["banana"]


def test_the_writer_counts_into_the_identity_and_its_absence_leaves_no_trace() -> None:
    used = RetrieveSettings.model_validate({"rewrite": {"model": "m"}, "hyde": {"model": "m"}})
    plain = retrieval_identity("key", RetrieveSettings(fuse="rrf"))
    assert plain == "f04934d897f177e01eed3e4cd81c4045"  # as version 4 has it without writers
    assert retrieval_identity("key", used, writer="a") not in (plain, retrieval_identity("key", used, writer="b"))
