"""Made questions pass when they are new and their passage can be found."""

from rag_fakes import FakeEmbedder, FakeVectors

from llmops.adapters.bm25 import Bm25Index
from llmops.domain.retrieval import Chunk
from llmops.rag.questions import PlacedQuestion, Screen, wide
from llmops.rag.retrieving import Retriever
from llmops.settings.retrieval import AbstainSettings, RetrieveSettings

TEXTS = [f"The keeper of tower number {number} sleeps at noon." for number in range(120)]


def _retriever(settings: RetrieveSettings) -> Retriever:
    chunks = [Chunk(f"c{n}", f"d{n}.md", 0, len(text), text) for n, text in enumerate(TEXTS)]
    embedder, vectors = FakeEmbedder(), FakeVectors()
    vectors.upsert(chunks, embedder.embed(TEXTS))
    return Retriever(settings, embedder, vectors, Bm25Index(chunks), {chunk.id: chunk for chunk in chunks}, "key")


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
