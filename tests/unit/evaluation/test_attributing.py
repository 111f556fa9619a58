"""Where evidence was lost, on prompts that write passages in every way that templates do."""

import textwrap
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from llmops.domain.keys import content_hash
from llmops.domain.prompts import Message
from llmops.domain.retrieval import Chunk, Hit
from llmops.evaluation.attributing import Corpus, Wanted, standing
from llmops.rag.inspecting import Generation
from llmops.scoring.ranking import parse_unit

FACT = "nine crowns"
words = st.text("abcäßñ日本éÅΩ's", min_size=1, max_size=9)
marks = st.sampled_from([" ", ", ", '" ', " <b> ", " & ", ".\n", "\n\n- ", " \\ ", " C:\\new ", " {}\n"])
passages = st.lists(st.tuples(words, marks), min_size=1, max_size=12).map(lambda pairs: "".join(map("".join, pairs)))
TEMPLATES = [
    "{{ text }}",
    "{{ text | tojson }}",
    "{{ {'text': text} | tojson }}",
    "{{ text | e }}",
    "<doc>\n{{ text | upper | indent(4) }}\n</doc>",
    '> {{ text | replace("\\n", "\\n> ") }}',
    "{{ text.split() | join(' ') }}",
]


def corpus(*texts: str) -> tuple[Corpus, list[Hit]]:
    chunks = {text: Chunk(content_hash(text), "a.md", at, at + len(text), text) for at, text in enumerate(texts)}
    by_id = {chunk.id: chunk for chunk in chunks.values()}
    hits = [Hit(chunk.text, "a.md", "", chunk.start, chunk.end, chunk.id) for chunk in by_id.values()]
    return Corpus(Generation("notes", "key", by_id, {"a.md": tuple(by_id)})), hits


def stage(wanted: Wanted, text: str, prompt: str) -> str:
    index, hits = corpus(text)
    return standing(wanted, index, hits, [Message("user", f"Read this.\n{prompt}\nWhat is the toll?")]).stage


@given(passages, st.sampled_from(TEMPLATES))
def test_a_passage_is_seen_however_the_template_writes_it(text: str, template: str) -> None:
    wanted = Wanted((parse_unit("a.md"),), ())
    prompt = Environment(autoescape=False).from_string(template).render(text=text)
    assert stage(wanted, text, prompt) == "seen"


def test_a_passage_that_is_not_there_is_cut() -> None:
    wanted = Wanted((parse_unit("a.md"),), ())
    assert stage(wanted, "The ferry is slow.", "The ferry is fast.") == "cut"
    assert stage(wanted, "The ferry is slow.", "The ferry is slowly sinking.") == "cut"


@pytest.mark.parametrize(
    ("shorten", "expected"),
    [
        (lambda text: text[:60], "seen"),
        (lambda text: textwrap.shorten(text, 40), "cut"),
        (lambda text: text.partition("\n\n")[2], "seen"),
        (lambda text: text[60:], "cut"),
    ],
)
def test_the_sentence_that_states_the_fact_decides(shorten: Callable[[str], str], expected: str) -> None:
    text = f"Prices > Toll\n\nA car pays {FACT} of toll here. {'Cyclists and hikers cross without paying. ' * 5}"
    assert stage(Wanted((), (FACT,)), text, shorten(text)) == expected


@pytest.mark.parametrize(
    ("facts", "units", "missable"),
    [
        ((FACT,), (), True),
        (("A car has to pay a toll of nine crowns to cross.",), (), False),
        (("A car has to pay a toll of nine crowns to cross.", FACT), (), True),
        (("A car has to pay a toll of nine crowns to cross.",), ("a.md",), True),
        (("no",), (), False),
    ],
)
def test_a_long_fact_may_stand_in_the_corpus_in_other_words(
    facts: tuple[str, ...], units: tuple[str, ...], missable: bool
) -> None:
    assert Wanted(tuple(map(parse_unit, units)), facts).missable is missable
