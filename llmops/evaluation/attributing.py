"""Where the evidence for an answer was lost: in the corpus, in the search, or before the prompt was full."""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from html import unescape
from typing import Literal

from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.rag.inspecting import Generation
from llmops.rag.packing import hit_of
from llmops.scoring.matching import folded, found_in
from llmops.scoring.ranking import RelevantUnit, covers
from llmops.scoring.sentences import split_sentences

Stage = Literal["not in corpus", "not retrieved", "cut", "seen"]
STAGES: tuple[Stage, ...] = ("not in corpus", "not retrieved", "cut", "seen")
MAX_PLACES = 5
SHORTEST_FACT = 4
"""Characters: without `relevant`, a shorter fact stands in passages that are about something else."""
LONGEST_FACT = 40
"""Characters: a longer one is a sentence, which a corpus may well say in other words."""
_word = re.compile(r"\w+")
_json_escape = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


@record
class Wanted:
    """What a passage must be to be evidence: one of these places, or one of these facts; both narrow each other."""

    units: tuple[RelevantUnit, ...]
    facts: tuple[str, ...]
    """Alternatives."""

    @property
    def known(self) -> bool:
        """Whether a passage can be told to be evidence."""
        return bool(self.units) or any(len(fact) >= SHORTEST_FACT for fact in self.facts)

    @property
    def missable(self) -> bool:
        """Whether a corpus in which no passage is evidence lacks it: a long fact may stand there in other words."""
        return bool(self.units) or any(SHORTEST_FACT <= len(fact) <= LONGEST_FACT for fact in self.facts)

    def covered(self, hit: Hit) -> bool:
        """Whether the passage stands at one of the places."""
        return any(covers(hit, unit) for unit in self.units)

    def stated(self, text: str) -> bool:
        """Whether the text holds one of the facts."""
        return any(True for _ in found_in(text, self.facts, whole_words=True))


@record
class Standing:
    """How far the evidence came."""

    stage: Stage
    places: tuple[str, ...]
    """Where the corpus holds it, as `document:start-end`."""
    rank: int | None = None
    """1-based place of the first hit that holds it."""


class Corpus:
    """The chunks of an index, searched for evidence."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {key: folded(chunk.text, ignore_case=True) for key, chunk in self._generation.chunks.items()}

    def evidence(self, wanted: Wanted) -> tuple[list[Hit], bool]:
        """The chunks that are evidence, and whether each of them states one of the facts.

        A place that does not state any fact word for word is evidence all the same: a fact may be paraphrased there.
        """
        if not wanted.units:
            return self._stating(wanted), True
        documents = dict.fromkeys(name for unit in wanted.units for name in (unit.text, unit.path))
        chunks = [key for name in documents for key in self._generation.documents.get(name, ())]
        placed = [hit for key in chunks if wanted.covered(hit := hit_of(self._generation.chunks[key]))]
        stating = [hit for hit in placed if wanted.stated(hit.text)]
        return stating or placed, bool(stating)

    def _stating(self, wanted: Wanted) -> list[Hit]:
        facts = [folded(fact, ignore_case=True) for fact in wanted.facts if len(fact) >= SHORTEST_FACT]
        likely = (key for key, text in self._folded.items() if any(fact in text for fact in facts))
        hits = (hit_of(self._generation.chunks[key]) for key in likely)
        return [hit for hit in hits if wanted.stated(hit.text)]


def standing(wanted: Wanted, corpus: Corpus, hits: Sequence[Hit], messages: Iterable[Message] | None) -> Standing:
    """How far the evidence came on its way to the model.

    Args:
        wanted: what is evidence; it must be `known`.
        corpus: of the index.
        hits: retrieved and given passages, best first.
        messages: the rendered prompt; None: not known, and then what was retrieved counts as seen.
    """
    held, stated = corpus.evidence(wanted)
    places = tuple(f"{hit.source}:{hit.start}-{hit.end}" for hit in held[:MAX_PLACES])

    def counts(hit: Hit) -> bool:
        fits = not stated or wanted.stated(hit.text)
        return wanted.stated(hit.text) if hit.given else fits and (not wanted.units or wanted.covered(hit))

    found = [(rank, hit) for rank, hit in enumerate(hits, start=1) if counts(hit)]
    if not found:
        return Standing("not retrieved" if held else "not in corpus", places)
    shown = None if messages is None else _shown("\n".join(message.content for message in messages))
    seen = [rank for rank, hit in found if shown is None or _is_seen(hit, wanted, shown)]
    return Standing("seen" if seen else "cut", places, rank=(seen or [found[0][0]])[0])


def _is_seen(hit: Hit, wanted: Wanted, shown: str) -> bool:
    """Whether the prompt holds a sentence of the passage that states a fact; where none does, the whole passage."""
    stating = [sentence.text for sentence in split_sentences(hit.text) if wanted.stated(sentence.text)]
    return any(_words(text) in shown for text in stating or [hit.text])


def _shown(prompt: str) -> str:
    """The words of a prompt as it stands, and without the escapes of HTML and of JSON: a template may write passages so."""
    as_json = _json_escape.sub(lambda escape: chr(int(escape[1], 16)) if escape[1] else " ", prompt)
    return "\n".join(map(_words, (prompt, unescape(prompt), as_json)))


def _words(text: str) -> str:
    """The words of a text in lower case: a template may put passages in quotes or capitals."""
    return " ".join(["", *_word.findall(folded(text, ignore_case=True)), ""])
