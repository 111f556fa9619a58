from collections.abc import Sequence
from typing import TYPE_CHECKING

from rag_fakes import FakeEmbedder

from llmops.rag.remembering import ProcessMemory, RememberingEmbedder, reused_by

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class Paid(FakeEmbedder):
    """Has to be asked how long its vectors are."""

    @property
    def dimensions(self) -> int:  # type: ignore[override]
        raise AssertionError("asked for its dimensions")


class Wider(FakeEmbedder):
    dimensions = 96


def test_a_passage_is_embedded_once_and_comes_back_in_its_place() -> None:
    fake, memory = FakeEmbedder(), ProcessMemory()
    first = RememberingEmbedder(fake, memory)
    expected = FakeEmbedder().embed(["a b", "c", "a b"])
    assert (first.embed(["a b", "c", "a b"]) == expected).all()
    assert fake.texts == ["a b", "c"]
    second = RememberingEmbedder(fake, memory)
    assert (second.embed(["c", "d", "a b", "a b"])[[2, 0]] == expected[:2]).all()
    assert fake.texts == ["a b", "c", "d"]
    assert (reused_by(first), reused_by(second), reused_by(fake)) == (0, 3, 0)


def test_another_embedder_has_vectors_of_its_own() -> None:
    memory, other = ProcessMemory(), FakeEmbedder("fake@2")
    RememberingEmbedder(FakeEmbedder(), memory).embed(["a"])
    RememberingEmbedder(other, memory).embed(["a"])
    assert other.texts == ["a"]


def test_queries_are_embedded_each_time() -> None:
    asked: list[str] = []

    class Counting(FakeEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
            asked.extend(texts)
            return super().embed_queries(texts)

    remembering = RememberingEmbedder(Counting(), ProcessMemory())
    for _ in range(2):
        remembering.embed_queries(["a"])
    assert asked == ["a", "a"]


def test_a_model_whose_vectors_are_all_known_is_not_asked_for_anything() -> None:
    memory = ProcessMemory()
    RememberingEmbedder(FakeEmbedder(), memory).embed(["a"])
    again = RememberingEmbedder(Paid(), memory)
    again.embed(["a"])
    assert again.dimensions == 64


def test_vectors_of_a_model_that_was_exchanged_are_not_mixed_with_those_of_the_new_one() -> None:
    memory, wider = ProcessMemory(), Wider()
    RememberingEmbedder(FakeEmbedder(), memory).embed(["a"])
    again = RememberingEmbedder(wider, memory)
    assert again.embed(["a", "b"]).shape == (2, 96)
    assert reused_by(again) == 0
    assert again.embed(["a", "b"]).shape == (2, 96)
    assert reused_by(again) == 2


def test_no_text_gives_no_vector() -> None:
    assert RememberingEmbedder(FakeEmbedder(), ProcessMemory()).embed([]).shape == (0, 64)
