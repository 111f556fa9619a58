"""Made questions pass when they are new and their passage can be found."""

from random import Random

import pytest
from rag_fakes import FakeEmbedder, FakeVectors

from llmops.adapters.bm25 import Bm25Index
from llmops.domain.retrieval import Chunk
from llmops.rag.questions import PlacedQuestion, Screen, copies, in_turn, wide, words
from llmops.rag.retrieving import Retriever
from llmops.settings.retrieval import AbstainSettings, RetrieveSettings

TEXTS = [f"The keeper of tower number {number} sleeps at noon." for number in range(120)]


def _retriever(settings: RetrieveSettings) -> Retriever:
    chunks = [Chunk(f"c{n}", f"d{n}.md", 0, len(text), text) for n, text in enumerate(TEXTS)]
    embedder, vectors = FakeEmbedder(), FakeVectors()
    vectors.upsert(chunks, embedder.embed(TEXTS))
    return Retriever(settings, embedder, vectors, Bm25Index(chunks), {chunk.id: chunk for chunk in chunks})


def _asked(question: str, number: int) -> PlacedQuestion:
    return PlacedQuestion(question, "noon", f"d{number}.md", 4, 10)


def test_vague_and_repeated_questions_are_left_out_and_counted() -> None:
    screen = Screen(_retriever(RetrieveSettings(k=1)))
    first, again = _asked("When does the keeper of tower 70 sleep?", 70), _asked("When does the keeper of tower 70 sleep", 70)
    lost, other = _asked("zzz?", 71), _asked("Which keeper of number 72 sleeps?", 72)
    assert screen.passed([first, again, lost]) == [first]
    assert screen.passed([again, other]) == [other]
    assert dict(screen.dropped) == {
        "much like another question": 2,
        "too vague: no search of the index finds its passage": 1,
    }


def test_the_screen_asks_widely_and_does_not_abstain_or_cut() -> None:
    settings = RetrieveSettings(dense=3, bm25=0, k=1, abstain=AbstainSettings(cosine=0.99), max_tokens=1, neighbours=1)
    (hits,) = wide(_retriever(settings)).retrieve(["keeper sleeps"])
    assert len(hits) == 50
    assert all(hit.text in TEXTS for hit in hits)


def test_a_question_is_known_by_its_words_and_its_place() -> None:
    assert _asked("When?", 1).key == _asked("When?", 1).key != _asked("When?", 2).key
    assert _asked("When?", 1).relevant == "d1.md:4-10"


@pytest.mark.parametrize(
    ("question", "copied"),
    [
        ("when does the keeper of the tower sleep?", False),
        ("Does the keeper of the north tower rest?", True),
        ("Is it so that the keeper of the north tower sleeps at noon on most days?", True),
        ("In the summer and in the winter, does somebody watch, or does the keeper of the lamp lie down?", False),
        ("Keeper of the north?", False),
    ],
)
def test_a_question_copies_when_most_of_it_stands_in_a_row(question: str, copied: bool) -> None:
    passage = "As a rule the keeper of the north tower sleeps at noon, and nobody watches."
    assert copies(question, passage) is copied


def test_queues_are_drawn_from_in_turn() -> None:
    drawn = list(in_turn([[1, 2, 3], [10], [20, 21]], Random(0)))
    assert sorted(value // 10 for value in drawn[:3]) == [0, 1, 2]
    assert sorted(drawn) == [1, 2, 3, 10, 20, 21]
    assert list(in_turn([], Random(0))) == []


def test_each_character_of_an_unspaced_script_is_a_word() -> None:
    passage = "退款将在十四天内支付。请联系 Acme 客服部门。"
    assert len(words(passage)) == 18
    assert copies("退款将在十四天内支付吗?", passage)
    assert not copies("客户多久能收到退款?", passage)
