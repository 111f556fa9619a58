from collections.abc import Mapping

import numpy as np
import pytest
from rag_fakes import FakeEmbedder, FakeVectors

from llmops.domain.errors import RetrievalError
from llmops.domain.retrieval import Chunk
from llmops.rag import searching
from llmops.rag.searching import DenseSearch

TEXTS = {"a": "apple pie recipe", "b": "banana bread recipe", "c": "cherry cake"}


@pytest.fixture(params=["compared with each", "asked of the store"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "asked of the store":
        monkeypatch.setattr(searching, "EXACT", 0)


def chunks(texts: Mapping[str, str]) -> dict[str, Chunk]:
    return {key: Chunk(key, f"{key}.md", 0, len(text), text) for key, text in texts.items()}


def search(texts: Mapping[str, str], others: Mapping[str, str] | None = None) -> DenseSearch:
    vectors = FakeVectors()
    for each in chunks({**texts, **(others or {})}).values():
        vectors.upsert([each], FakeEmbedder().embed([each.text]))
    return DenseSearch(vectors, chunks(texts))


def nearest(found: DenseSearch, query: str, k: int) -> list[str]:
    (ranking,) = found.nearest(FakeEmbedder().embed([query]), k)
    return [key for key, _ in ranking]


def test_the_nearest_come_first_with_their_cosine() -> None:
    (ranking,) = search(TEXTS).nearest(FakeEmbedder().embed(["banana bread recipe"]), 2)
    expected = float(FakeEmbedder().embed([TEXTS["a"]])[0] @ FakeEmbedder().embed([TEXTS["b"]])[0])
    assert ranking == [("b", 1.0), ("a", pytest.approx(expected, abs=1e-5))]
    assert len(search(TEXTS).nearest(FakeEmbedder().embed(["apple", "cherry"]), 9)[1]) == 3


def test_a_vector_stands_for_every_chunk_with_its_text() -> None:
    blank = {f"blank{n}": "left blank" for n in range(30)}
    found = search({**blank, **TEXTS})
    assert nearest(found, "banana bread", 2) == ["b", "a"]
    assert nearest(found, "left blank", 3) == ["blank0", "blank1", "blank10"]
    assert nearest(found, "left blank", 33) == [*sorted(blank), *sorted(TEXTS)]


def test_equal_cosines_are_ordered_by_chunk_id() -> None:
    found = search({"z": "bread banana", "y": "banana bread", "x": "Banana Bread", "a": "cherry"})
    assert nearest(found, "banana bread", 4) == ["x", "y", "z", "a"]


def test_vectors_that_are_not_searched_take_no_place() -> None:
    others = {f"new{n}": f"banana bread recipe {n}" for n in range(10)}
    assert nearest(search(TEXTS, others), "banana bread recipe", 2) == ["b", "a"]


def test_lost_vectors_are_an_error_and_not_a_worse_ranking() -> None:
    found = search(TEXTS)
    found._vectors.delete([chunks(TEXTS)["a"].vector_id])
    with pytest.raises(RetrievalError, match="lost 1 of 3 vectors"):
        found.nearest(np.ones((1, 64), np.float32), 20)


def test_vectors_of_another_length_are_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "EXACT", 2000)
    with pytest.raises(RetrievalError, match=r"has 3 dimensions, and those of the index \d+") as error:
        search(TEXTS).nearest(np.ones((1, 3), np.float32), 2)
    assert error.value.hint is not None
    assert "llmops cache clear --kind embed" in error.value.hint
