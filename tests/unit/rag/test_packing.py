from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from rag_fakes import FakeEmbedder, WordTokenizer

from llmops.domain.retrieval import Chunk, Document
from llmops.rag.chunking import Chunker
from llmops.rag.packing import Candidate, Packer, joined
from llmops.scoring.ranking import covers, parse_unit
from llmops.settings.indexes import ChunkerSettings
from llmops.settings.retrieval import RetrieveSettings

WORDS = [f"w{n}" for n in range(40)]
TEXT = " ".join(WORDS)


def cut(overlap: int = 0) -> list[Chunk]:
    """Chunks of eight words."""
    settings = ChunkerSettings(kind="tokens", max_tokens=10, overlap=overlap)
    return Chunker(settings, FakeEmbedder()).chunks(Document("d", TEXT))


def packed(chunks: Sequence[Chunk], order: Sequence[int], **settings: int) -> list[str]:
    ranked = [Candidate(chunks[at].id, 1.0, {}) for at in order]
    retrieve = RetrieveSettings.model_validate(settings)
    packer = Packer({chunk.id: chunk for chunk in chunks}, retrieve, WordTokenizer())
    return [hit.text for hit in packer.hits(ranked)]


def test_a_hit_stands_alone_unless_neighbours_are_asked_for() -> None:
    chunks = cut()
    assert packed(chunks, [1, 3], k=1) == [" ".join(WORDS[8:16])]
    assert packed(chunks, [1], neighbours=1) == [
        " ".join(WORDS[:8]) + "\n\n" + " ".join(WORDS[8:16]) + "\n\n" + " ".join(WORDS[16:24])
    ]


def test_a_chunk_that_a_hit_holds_is_no_hit_of_its_own_and_no_neighbour_of_another() -> None:
    chunks = cut()
    first, second = packed(chunks, [1, 2, 3], neighbours=1)
    assert first.split() == WORDS[:24]
    assert second.split() == WORDS[24:40]


@given(st.integers(0, 7), st.integers(0, 9), st.integers(1, 5))
def test_what_neighbours_share_stands_once(overlap: int, at: int, reach: int) -> None:
    chunks = cut(overlap)
    at = min(at, len(chunks) - 1)
    (text,) = packed(chunks, [at], neighbours=reach)
    words = text.split()
    start = WORDS.index(words[0])
    assert words == WORDS[start : start + len(words)]
    assert chunks[at].text.split()[0] in words


def test_hits_end_where_the_tokens_do() -> None:
    chunks = cut()
    assert [len(text.split()) for text in packed(chunks, [0, 1, 2], max_tokens=16)] == [8, 8]
    assert len(packed(chunks, [0, 1, 2], max_tokens=15)) == 1
    # Three neighbours do not fit, the hit alone does.
    assert packed(chunks, [1, 4], max_tokens=20, neighbours=1) == [" ".join(WORDS[8:16]), " ".join(WORDS[32:40])]


def test_headings_stand_where_the_section_changes() -> None:
    text = "# Guide\n\n## Install\n\nRun it.\n\n## Use\n\nAsk.\n"
    install, use = Chunker(ChunkerSettings(max_tokens=40, overlap=0), FakeEmbedder()).chunks(Document("d", text))
    passage = joined([install, use], use)
    assert passage.text == "Guide > Install\n\nRun it.\n\nGuide > Use\n\nAsk."
    assert (passage.id, passage.headings, passage.start, passage.end) == (use.id, ("Guide", "Use"), install.start, use.end)


def test_a_hit_with_neighbours_tells_each_section_that_it_reaches_into() -> None:
    text = "# Guide\n\n## Install\n\nRun it.\n\n## Use\n\nAsk.\n\n## Leave\n\nGo.\n"
    chunks = Chunker(ChunkerSettings(max_tokens=40, overlap=0), FakeEmbedder()).chunks(Document("d", text))
    by_id = {chunk.id: chunk for chunk in chunks}
    (hit,) = Packer(by_id, RetrieveSettings(neighbours=1), WordTokenizer()).hits([Candidate(chunks[1].id, 1.0, {})])
    assert (hit.heading, hit.also_under) == ("Guide > Use", ("Guide > Install", "Guide > Leave"))
    assert [covers(hit, parse_unit(f"d#{name}")) for name in ("install", "use", "leave", "stay")] == [True, True, True, False]
    windows = ChunkerSettings(kind="tokens", max_tokens=9, overlap=0)
    cut_anyhow = {chunk.id: chunk for chunk in Chunker(windows, FakeEmbedder()).chunks(Document("d", text))}
    first = next(iter(cut_anyhow))
    (wide,) = Packer(cut_anyhow, RetrieveSettings(neighbours=10), WordTokenizer()).hits([Candidate(first, 1.0, {})])
    assert (wide.heading, wide.also_under) == ("Guide", ("Guide > Install", "Guide > Use", "Guide > Leave"))
    (alone,) = Packer(by_id, RetrieveSettings(), WordTokenizer()).hits([Candidate(chunks[1].id, 1.0, {})])
    assert alone.also_under == ()
