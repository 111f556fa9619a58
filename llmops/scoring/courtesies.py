"""Finds what an English answer says out of courtesy: greetings, thanks, offers, wishes and announcements claim nothing.

A sentence is a courtesy when each of its clauses opens like one and goes on in words that are common to courtesies, or, in
an offer or an announcement, in words of the question.
"""

import re
from collections.abc import Sequence, Set

from llmops.scoring.matching import folded
from llmops.scoring.reading import terms
from llmops.scoring.sentences import blank, split_sentences

LONGEST = 300
"""Characters of a sentence that may be a courtesy."""

SIGNED = 3
SIGNED_WORDS = 6
"""Lines below a farewell, and words in each, that may say who signs."""

_ME = r"(?:i|we)"
_BE = rf"(?:{_ME}(?:'m| am|'re| are|'d be| would be|'ll be| will be) )"
_OFFER = "|".join(
    (
        r"(?:please )?let (?:me|us) know",
        r"(?:please )?(?:feel|be) free to (?:ask|reach out|contact|let (?:me|us) know)",
        r"(?:please )?(?:don't|do not) hesitate to (?:ask|reach out|contact|let (?:me|us) know)",
        r"(?:and )?if (?:you(?:'d like| would like| still have| have| need| want| require)|there(?:'s| is| are))",
        r"should you (?:have|need|want|require|wish)",
        r"(?:is|was) there (?:anything|something)",
        r"(?:would|do) you (?:like|want|need|have)",
        r"(?:how|what) (?:can|may|could|else can) (?:i|we) (?:help|assist|do)",
        rf"(?:can|may|could|shall) {_ME} (?:help|assist)",
        rf"{_BE}?(?:always )?(?:here|happy|glad|pleased|delighted) to (?:help|assist|answer)",
        rf"{_ME}(?:'ll| will| can| could|'d be able to) (?:gladly )?(?:help|assist|answer)",
        r"let me (?:help|assist|answer)",
        r"for (?:more|further|additional|other) (?:information|details|help|questions)",
        r"(?:please )?(?:see|refer to)",
    )
)
_FAREWELL = r"(?:(?:kind|best|warm) )?regards|best wishes|all the best|cheers|(?:yours )?sincerely"
_ANNOUNCEMENT = (
    r"here(?:'s| is| are)|below (?:is|are)|(?:based on|according to|from) (?:the |these |your |all )?(?:\w+ )?"
    r"(?:passages|context|documents?|sources|information|text)"
)
_REACTION = "|".join(
    (
        r"thank you(?! to)|(?:many )?thanks(?! to)",
        r"sure|certainly|of course|absolutely|definitely|gladly|okay|ok|alright|got it|understood|no problem|no worries",
        r"you(?:'re| are) (?:very |most |always )?welcome|my pleasure|glad you asked",
        r"(?:that's |that is |what )?(?:a |an )?(?:really |very )?(?:great|good|excellent|interesting|important) question",
        rf"(?:{_ME} )?(?:do )?hope (?:this|that|it|you)",
        r"have a (?:great|good|nice|wonderful|lovely|pleasant|fantastic|safe)|enjoy|good luck|safe travels|take care",
        _FAREWELL,
    )
)
_offer = re.compile(rf"(?:{_OFFER})\b")
_announcement = re.compile(rf"(?:{_ANNOUNCEMENT})\b")
_reaction = re.compile(rf"(?:{_REACTION})\b")
_greeting = re.compile(
    r"(?i:hi|hello|hey|greetings|dear|good (?:morning|afternoon|evening|day)|(?:and )?welcome(?: back)?)\b"
    r"(?: [A-Z][\w'-]*){0,3}"
)
_farewell = re.compile(rf"^[ *_]*(?i:{_FAREWELL})[,!.*_ ]*$", re.MULTILINE)
_linking = frozenset(("of", "the", "and", "for", "at"))
_words = """
    a about above additional again all also always am an and another answer answers any anyone anything are ask asked
    asking assist assistance at attempt back based be been before below between brief briefly by can clarification
    clarified clarifies clarify clear clears concern concerns contact contacting context could day desk detail details
    determine do document documentation documents else email enquiry evening everyone everything example examples explain
    explanation facts feedback feel few find finds follow following for found friend from further gathered get getting give
    given great guide has have hear help helped helpful helping helps here how i i'd i'll i'm ideas if in info information
    inquiry instructions interest is it it's just key know learn like link list look looking luck main manual matter may me
    message methods might moment more morning most much my need needed needs of on one or other our out overview page part
    passage passages patience please points possible provide provided queries query question questions quick reach reaching
    reasons refer regarding request requirements rest results section see short so some something soon source sources
    specific stay step steps still subject summary support team text that that's the them there there's these they thing
    things this those three time tips to today too topic touch trip two understand understanding up us use useful want was
    wasn't way ways we we're weekend well were what what's when which will wish with wonderful would year you you'd your
    yours yourself
"""
_common = frozenset(_words.split())
_between = re.compile(r"[,;:!?.()…–—*_]+|\s-+\s")
_line = re.compile(r"[^\n]+")
_word = re.compile(r"[\w'’]+")


def without_courtesies(answer: str, question: str = "") -> str:
    """The answer with spaces in place of its courtesies, such as "Let me know if you have questions!"; offsets stay.

    Args:
        answer: as the model wrote it.
        question: what it answers; an offer or an announcement may repeat its words.
    """
    asked = terms(question)
    signature = _signature(answer)
    parts, at = list[str](), 0
    for sentence in split_sentences(answer[:signature]):
        for line in _line.finditer(answer, sentence.start, sentence.end):
            if len(line[0]) <= LONGEST and _is_courtesy(line[0], asked):
                parts += (answer[at : line.start()], blank(line[0]))
                at = line.end()
    return "".join((*parts, answer[at:signature], blank(answer[signature:])))


def _signature(answer: str) -> int:
    """Where a farewell and the few names below it begin, if the answer ends with them; else its length."""
    for farewell in _farewell.finditer(answer, max(0, len(answer) - LONGEST)):
        lines = [_word.findall(line) for line in answer[farewell.end() :].split("\n") if _word.search(line)]
        if len(lines) <= SIGNED and all(_is_name(words) for words in lines):
            return farewell.start()
    return len(answer)


def _is_name(words: Sequence[str]) -> bool:
    return len(words) <= SIGNED_WORDS and all(word[0].isupper() or word in _linking for word in words)


def _is_courtesy(sentence: str, asked: Set[str]) -> bool:
    text = folded(sentence, ignore_case=False)
    clauses = [clause.strip() for clause in _between.split(text) if _word.search(clause)]
    return bool(clauses) and all(_claims_nothing(clause, asked, asks=text.endswith("?")) for clause in clauses)


def _claims_nothing(clause: str, asked: Set[str], *, asks: bool) -> bool:
    if greeting := _greeting.match(clause):
        return _is_common(clause[greeting.end() :].lower())
    plain = clause.lower()
    if reaction := _reaction.match(plain):
        return _is_common(plain[reaction.end() :])
    if offer := _offer.match(plain):
        return asks or _is_common(plain[offer.end() :], asked)
    announcement = _announcement.match(plain)
    return announcement is not None and _is_common(plain[announcement.end() :], asked)


def _is_common(words: str, asked: Set[str] = frozenset()) -> bool:
    return all(word in _common or terms(word) <= asked for word in _word.findall(words))
