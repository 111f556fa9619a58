import re
from collections.abc import Sequence
from typing import Literal, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rag_fakes import FakeEmbedder, WordTokenizer

from llmops.domain.errors import UsageError
from llmops.domain.retrieval import Chunk, Document
from llmops.rag.chunking import SPECIAL_TOKENS, Chunker
from llmops.rag.packing import hit_of
from llmops.rag.splitting import LONGEST_TOKEN, TokenMap
from llmops.scoring.ranking import covers, parse_unit
from llmops.settings.indexes import ChunkerSettings

Kind = Literal["markdown", "tokens", "sentences", "recursive", "semantic", "code"]
KINDS: tuple[Kind, ...] = get_args(Kind)

lines = st.sampled_from(
    [
        "# Title",
        "## Part two ##",
        "####### no heading",
        "Under",
        "=====",
        "---",
        "",
        "",
        "   ",
        "```",
        "~~~~",
        "- item one",
        "> quote",
        "One sentence. Another one, e.g. this! And a third?",
        "word " * 30,
        "x" * 200,
        "Ünïcödé 日本語 \u200b emoji 🙂",
        "| a | b |",
        "    # code",
        "def go(now):",
        "    return {",
        "}",
    ]
)
documents = st.one_of(st.lists(lines, max_size=25).map("\n".join), st.text(max_size=300))


def cut(
    text: str, *, kind: Kind = "markdown", max_tokens: int = 40, overlap: int = 8, prefix: bool = True, name: str = "doc.md"
) -> list[Chunk]:
    chunker = Chunker(ChunkerSettings(kind=kind, max_tokens=max_tokens, overlap=overlap, heading_prefix=prefix), FakeEmbedder())
    return chunker.chunks(Document(name, text))


@settings(max_examples=300, deadline=None)
@example("# Title\nUnder", "markdown", 3, 0, True)
@given(documents, st.sampled_from(KINDS), st.integers(3, 60), st.integers(0, 30), st.booleans())
def test_chunks_are_exact_whole_and_never_too_long(text: str, kind: Kind, size: int, overlap: int, prefix: bool) -> None:
    chunks = cut(text, kind=kind, max_tokens=size, overlap=min(overlap, size - 1), prefix=prefix)
    tokenizer = WordTokenizer()
    covered = [False] * len(text)
    headings: set[str] = set()
    for chunk in chunks:
        passage = text[chunk.start : chunk.end]
        assert passage == passage.strip() != ""
        assert chunk.text.endswith(passage)
        assert tokenizer.count(chunk.text) + SPECIAL_TOKENS <= size
        covered[chunk.start : chunk.end] = [True] * len(passage)
        headings.update(chunk.headings)
        if not prefix:
            assert chunk.text == passage
    left = "".join(" " if done else character for character, done in zip(text, covered, strict=True))
    bare = [line for line in left.splitlines() if line.strip()]
    if not prefix or kind != "markdown":
        assert bare == []
    else:
        titles = " ".join(headings)
        assert all(line.strip(" #=-\t") in titles or line.lstrip().startswith("#") for line in bare)
    assert [chunk.start for chunk in chunks] == sorted(chunk.start for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == len(chunks)


def test_sections_keep_their_heading_path() -> None:
    text = "Before.\n\n# Guide\n\n## Install\n\nRun it.\n\n### Windows\n\nOther.\n\n## Use\n\nAsk.\n"
    assert [(chunk.headings, chunk.text) for chunk in cut(text)] == [
        ((), "Before."),
        (("Guide", "Install"), "Guide > Install\n\nRun it."),
        (("Guide", "Install", "Windows"), "Guide > Install > Windows\n\nOther."),
        (("Guide", "Use"), "Guide > Use\n\nAsk."),
    ]


def test_headings_stay_in_the_text_without_a_prefix() -> None:
    text = "# Guide\n\n## Install\n\nRun it.\n\n## Use\n\nAsk.\n"
    assert [chunk.text for chunk in cut(text, prefix=False)] == ["# Guide\n\n## Install\n\nRun it.", "## Use\n\nAsk."]


def test_a_heading_without_text_is_a_chunk_of_its_own() -> None:
    chunks = cut("# Guide\n\nText.\n\n## Open questions\n")
    assert [(chunk.headings, chunk.text) for chunk in chunks] == [
        (("Guide",), "Guide\n\nText."),
        (("Guide", "Open questions"), "Guide\n\n## Open questions"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```\n# not\n```\n",
        "~~~~\n~~~\n# not\n~~~~\n",
        "---\ntitle: x\n---\nText",
        "- item\n---\n",
        "> quote\n===\n",
        "    # code\n",
        "#hashtag\n",
        "Text\n\n---\n\nMore\n",
    ],
)
def test_what_looks_like_a_heading_and_is_none(text: str) -> None:
    assert {chunk.headings for chunk in cut(text)} == {()}


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Title\n=====\nText", "Title"),
        ("Two\nlines\n---\nText", "Two lines"),
        ("## Title ##\nText", "Title"),
        ("  # C# #\nText", "C#"),
        ("# The `eval` **command** [here](x.md) {#anchor}\nText", "The eval command here"),
    ],
)
def test_titles_read_as_they_are_shown(text: str, title: str) -> None:
    assert cut(text)[-1].headings == (title,)


def test_long_sections_are_cut_between_paragraphs_and_sentences() -> None:
    first = "One two three four five. Six seven eight nine ten."
    second = "Red green blue black white. Pink grey brown gold lime."
    chunks = cut(f"{first}\n\n{second}", max_tokens=20, overlap=0)
    assert [chunk.text for chunk in chunks] == [first, second]
    shorter = cut(first, max_tokens=10, overlap=0)
    assert [chunk.text for chunk in shorter] == ["One two three four five.", "Six seven eight nine ten."]


def test_neighbours_share_whole_sentences_up_to_the_overlap() -> None:
    text = " ".join(f"Word number {n}." for n in range(12))
    chunks = cut(text, kind="sentences", max_tokens=18, overlap=4)
    assert len(chunks) > 2
    for one, other in zip(chunks, chunks[1:], strict=False):
        assert text[other.start : one.end].count("Word") == 1


def test_token_windows_have_equal_length_and_overlap() -> None:
    text = " ".join(f"w{n}" for n in range(50))
    chunks = cut(text, kind="tokens", max_tokens=12, overlap=3)
    assert [len(chunk.text.split()) for chunk in chunks] == [10] * 6 + [8]
    assert [chunk.text.split()[0] for chunk in chunks] == ["w0", "w7", "w14", "w21", "w28", "w35", "w42"]


@pytest.mark.parametrize("kind", ["markdown", "recursive", "sentences"])
def test_a_section_leaves_no_small_rest(kind: Kind) -> None:
    text = " ".join(f"Word number {n}." for n in range(9))
    chunks = cut(text, kind=kind, max_tokens=34, overlap=0)
    assert sorted(chunk.text.count("Word") for chunk in chunks) == [4, 5]


def test_a_sentence_longer_than_a_chunk_is_cut_into_even_parts() -> None:
    text = "Short one here. " + " ".join(f"w{n}" for n in range(100)) + "."
    sizes = [len(chunk.text.split()) for chunk in cut(text, kind="sentences", max_tokens=42, overlap=0)]
    assert sum(sizes) == 103
    assert (len(sizes), max(sizes) - min(sizes) < 12) == (3, True)


def test_ids_follow_content_and_place() -> None:
    text = "# A\n\nSame text.\n"
    assert [chunk.id for chunk in cut(text)] == [chunk.id for chunk in cut(text)]
    moved = cut("x\n\n" + text)[-1]
    assert moved.text == cut(text)[0].text
    assert moved.id != cut(text)[0].id


def test_a_chunk_above_the_window_is_refused() -> None:
    with pytest.raises(UsageError, match="above the embedder's window of 256 tokens") as caught:
        cut("text", max_tokens=300)
    assert "256 or less" in str(caught.value)
    with pytest.raises(UsageError, match="leaves no room"):
        cut("text", max_tokens=2, overlap=0)


def test_a_long_heading_path_is_shortened_from_its_outer_end() -> None:
    text = "# One two three four five six\n\n## Seven eight\n\n### Nine\n\nThe text itself.\n"
    assert cut(text, max_tokens=40)[-1].text == "One two three four five six > Seven eight > Nine\n\nThe text itself."
    assert cut(text, max_tokens=20)[-1].text == "Seven eight > Nine\n\nThe text itself."
    assert cut(text, max_tokens=8, overlap=0)[-1].headings == ("One two three four five six", "Seven eight", "Nine")


def test_hostile_lines_are_cut_in_linear_time() -> None:
    for text in (
        "# " + " " * 200_000 + "x",
        "[" * 100_000,
        "#" + "*a" * 100_000,
        "a" * 200_000,
        "\n \t" * 70_000,
        "---\n" * 50_000,
    ):
        assert all(chunk.end <= len(text) for chunk in cut(text, max_tokens=200))


class GivesUp(WordTokenizer):
    """As WordPiece: a word of any length is one unknown token."""

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+", text)]


def test_a_word_that_a_tokenizer_gives_up_on_is_cut_all_the_same() -> None:
    text = "The squid is grey " + "A" * 20_000
    pieces = TokenMap(GivesUp(), text, 0, len(text)).pieces(0, len(text))
    assert len(pieces) == 4 + 20_000 // LONGEST_TOKEN
    assert max(piece.end - piece.start for piece in pieces) == LONGEST_TOKEN
    assert pieces[-1].end == len(text)


def test_every_chunker_keeps_the_heading_path_of_where_a_chunk_begins() -> None:
    text = "Before it all.\n\n# Guide\n\n## Install\n\nRun the thing at once.\n\n## Use\n\nAsk it politely.\n"
    for kind in KINDS[1:5]:
        found = cut(text, kind=kind, max_tokens=9, overlap=0)
        paths = [chunk.headings for chunk in found]
        assert paths[0] == ()
        assert paths[-1] == ("Guide", "Use")
        assert next(chunk for chunk in found if "Run" in chunk.text).headings in (("Guide", "Install"), ("Guide",))


CODE = """import os

class Kite:
    \"\"\"Flies.\"\"\"

    def rise(self, metres):
        wind = os.environ["WIND"]
        return metres * wind

    def land(self):
        return 0


def build(colour):
    return Kite()
"""


def test_code_is_cut_between_blocks_and_knows_what_it_belongs_to() -> None:
    chunks = cut(CODE, kind="code", max_tokens=30, overlap=0, name="kite.py")
    assert [(chunk.headings, chunk.text.splitlines()[0]) for chunk in chunks] == [
        ((), "import os"),
        (("Kite", "rise"), "def rise(self, metres):"),
        (("Kite", "land"), "def land(self):"),
    ]
    assert chunks[-1].text.endswith("return Kite()")


def test_braces_stay_with_what_they_close() -> None:
    text = "func Rise(m int) int {\n\treturn m\n}\n\nfunc Land() int {\n\treturn 0\n}\n"
    chunks = cut(text, kind="code", max_tokens=16, overlap=0, name="kite")
    assert [chunk.text.splitlines()[-1] for chunk in chunks] == ["}", "}"]
    assert [chunk.headings for chunk in chunks] == [("Rise",), ("Land",)]


def labels_met(chunk: Chunk, labels: Sequence[str]) -> set[str]:
    return {label for label in labels if covers(hit_of(chunk), parse_unit(f"{chunk.document}#{label}"))}


sections = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 30)), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(sections, st.sampled_from(KINDS), st.integers(8, 60), st.integers(0, 7), st.booleans())
def test_a_chunk_is_under_the_headings_of_which_it_holds_text(
    drawn: list[tuple[int, int]], kind: Kind, size: int, overlap: int, prefix: bool
) -> None:
    text, places, path = "", dict[str, list[tuple[int, int]]](), list[tuple[int, str]]()
    for number, (level, words) in enumerate(drawn):
        path = [*(each for each in path if each[0] < level), (level, f"part{number}")]
        text += f"{'#' * level} part{number}\n\n"
        body = " ".join(f"w{each}." for each in range(words)) or "."
        for _, name in path:
            places.setdefault(name, []).append((len(text), len(text) + len(body)))
        text += f"{body}\n\n"
    for chunk in cut(text, kind=kind, max_tokens=size, overlap=overlap, prefix=prefix):
        held = {name for name, spans in places.items() if any(chunk.start < end and start < chunk.end for start, end in spans)}
        met = labels_met(chunk, list(places))
        assert held <= met
        assert met - held <= set(chunk.headings)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_in_source_code_are_met_whatever_the_chunker(kind: Kind) -> None:
    chunks = cut(CODE, kind=kind, max_tokens=200, name="kite.py")
    assert set().union(*(labels_met(chunk, ["kite", "rise", "land", "build", "import-os"]) for chunk in chunks)) == {
        "kite",
        "rise",
        "land",
        "build",
    }


def test_a_name_without_a_known_ending_is_what_the_chunker_says() -> None:
    text = "# Guide\n\ndef rise(metres):\n    return 1\n"
    found = {(kind, name): cut(text, kind=kind, name=name)[0] for kind in KINDS[:2] + KINDS[5:] for name in ("q.v2", "q.MD")}
    assert {place for place, chunk in found.items() if labels_met(chunk, ["rise"])} == {("code", "q.v2")}
    assert {place for place, chunk in found.items() if labels_met(chunk, ["guide"])} == found.keys() - {("code", "q.v2")}


def test_semantic_cuts_where_the_topic_changes() -> None:
    bread = "Bread needs yeast flour water. Bread dough needs flour water. Yeast bread dough water."
    stars = "Stars burn helium gas far. Far stars burn gas. Helium stars burn far."
    chunks = cut(f"{bread} {stars}", kind="semantic", max_tokens=24, overlap=0)
    assert [chunk.text for chunk in chunks] == [bread, stars]
