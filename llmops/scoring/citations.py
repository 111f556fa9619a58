"""Citations in an answer: which passages it names, and whether they say what the citing sentence says."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.scoring.scripts import UNSPACED

MAX_CHARACTERS = 200_000
"""Read of an answer."""
MAX_RANGE = 50
"""Passages that one marker such as [2-4] may name."""

_marker = re.compile(
    r"(?<![\w`\]])\[([^\[\]\n]{1,200})\](?!\()|(?<=[^\W_]|\])\[(\^?[0-9][0-9 ,;\-\u2013]{0,40})\](?!\()|"
    r"\u3010([^\u3010\u3011\n]{1,200})\u3011"
)
_around_numbers = re.compile(
    r"\^|(?:passage|source|document|doc|context|reference|ref|excerpt|chunk)s?[ .:#]*(?=[0-9])|\u2020.*", re.IGNORECASE
)
"""What some put beside the number, as in [Passage 1] and [^1]."""
_LISTS = frozenset(("source", "sources", "reference", "references", "citation", "citations"))
_list = re.compile(rf"^[^\w\n]{{0,20}}(?:{'|'.join(_LISTS)})[^\w\n]{{0,20}}$", re.IGNORECASE | re.MULTILINE)
"""Stands above what the answer cites all in all."""
_numbers = re.compile(r"[0-9]{1,6}(?:\s*[-\u2013]\s*[0-9]{1,6})?(?:\s*[,;]\s*[0-9]{1,6}(?:\s*[-\u2013]\s*[0-9]{1,6})?)*")
_path = re.compile(r"[\w./\-]{1,180}\.[A-Za-z][A-Za-z0-9]{0,5}(?:#[\w\-]{1,100})?|[\w.\-]{1,80}(?:/[\w.\-]{1,80}){1,10}")
_code = re.compile(r"```[\s\S]{0,20000}?(?:```|\Z)|`[^`\n]{0,500}`")
_ends = re.compile(
    r"(?<![.!?])[.!?]+[\"')]*(?:[ \t]*\[[^\[\]\n]{1,200}\])*(?=\s|$)|\n|"
    r"[\u3002\uff01\uff1f]+[\u201d\u2019\u300d\u300f]*(?:[ \t]*\[[^\[\]\n]{1,200}\])*"
)
_words = re.compile(rf"{UNSPACED}+|(?:(?!{UNSPACED})[^\W_])+")
_unspaced = re.compile(UNSPACED)
_STOP = frozenset(
    _words.findall(
        "a about after all also an and any are as at be because been before both but by can could did do does for from had has "
        "have he her his how i if in into is it its may more most must no not of on one only or other our out over shall she "
        "should so some such than that the their them then there these they this those through to under up was we were what "
        "when where which while who will with would you your"
    )
)


@record
class Citation:
    """One reference of an answer to a passage."""

    start: int
    """First character of the marker in the answer."""
    end: int
    label: str
    """What stands in the marker for this passage: `2`, `docs/a.md`."""
    hit: int | None
    """Index of the passage; None when there is no such passage."""
    support: float
    """Share of the citing sentence's words of substance that stand in the passages it cites, 0 to 1."""


def citations(answer: str, hits: Sequence[Hit]) -> list[Citation]:
    """Every citation in an answer, in order.

    A marker holds numbers of passages, counted from 1 in the order of the prompt ([1], [1, 3], [2-4]), or the source of a
    passage ([docs/a.md]). Markers in code and Markdown links are no citations, and neither is other text in brackets.

    Args:
        answer: the whole text.
        hits: the passages that the prompt saw, in order.
    """
    masked = _code.sub(lambda found: " " * len(found.group()), answer[:MAX_CHARACTERS])
    sources = {hit.source for hit in hits}
    held = cache(lambda number: _substance(f"{hits[number].text} {hits[number].heading}"))
    found: list[Citation] = []
    heading = _list.search(masked)
    listed = heading.end() if heading else len(masked)
    start = 0
    for end in [*(match.end() for match in _ends.finditer(masked)), len(masked)]:
        found += _in_sentence(masked, (start, end), hits, sources, held if start < listed else None)
        start = end
    return found


def without_markers(answer: str) -> str:
    """The answer with spaces in place of markers such as [1] and [2, 3], which claim nothing; offsets stay as they are."""

    def blank(found: "re.Match[str]") -> str:
        return " " * len(found.group()) if _numbers.fullmatch(_named(found)) else found.group()

    return _marker.sub(blank, answer)


def _named(marker: "re.Match[str]") -> str:
    """What a marker names, such as `2, 3`."""
    return _around_numbers.sub("", marker[1] or marker[2] or marker[3]).strip()


def _in_sentence(
    text: str, place: tuple[int, int], hits: Sequence[Hit], sources: set[str], held: Callable[[int], set[str]] | None
) -> Iterable[Citation]:
    """Without `held` the markers are listed, and claim nothing."""
    start, end = place
    markers = [(match, _labels(_named(match), sources)) for match in _marker.finditer(text, start, end)]
    markers = [(match, labels) for match, labels in markers if labels]
    if not markers:
        return
    cuts = [start, *(place for match, _ in markers for place in match.span()), end]
    claim = " ".join(text[cuts[at] : cuts[at + 1]] for at in range(0, len(cuts), 2))
    targets = [[_target(label, hits) for label in labels] for _, labels in markers]
    cited = {number for group in targets for numbers in group for number in numbers}
    if held is None or _LISTS.issuperset(_words.findall(claim.casefold())):
        support = 1.0
    else:
        support = _support(claim, [held(number) for number in sorted(cited)])
    for (match, labels), group in zip(markers, targets, strict=True):
        for label, numbers in zip(labels, group, strict=True):
            yield Citation(match.start(), match.end(), label, numbers[0] if numbers else None, support if numbers else 0.0)


def _labels(content: str, sources: set[str]) -> list[str]:
    """The passages that a marker names; none when it is no citation."""
    if content in sources:
        return [content]
    if not _numbers.fullmatch(content):
        return [content] if _path.fullmatch(content) else []
    labels: list[str] = []
    for part in re.split(r"[,;]", content):
        first, _, last = re.sub(r"[\s\u2013]", lambda m: "" if m.group().isspace() else "-", part).partition("-")
        if not last:
            labels.append(str(int(first)))
        elif 0 <= int(last) - int(first) < MAX_RANGE:
            labels += [str(number) for number in range(int(first), int(last) + 1)]
        else:
            labels.append(f"{first}-{last}")
    return labels


def _target(label: str, hits: Sequence[Hit]) -> list[int]:
    """Indexes of the passages that a label names: one for a number, all of a source for its name."""
    if label.isdecimal():
        return [int(label) - 1] if 1 <= int(label) <= len(hits) else []
    path = label.partition("#")[0]
    return [number for number, hit in enumerate(hits) if hit.source in (label, path) or hit.source.endswith(f"/{path}")]


def _support(claim: str, cited: Sequence[set[str]]) -> float:
    asked = _substance(claim)
    if not asked:
        return 1.0 if cited else 0.0
    return sum(any(word in words for words in cited) for word in asked) / len(asked)


def _substance(text: str) -> set[str]:
    """Words without function words and endings, so that `limits` and `limit` are one; without spaces pairs of characters."""
    words = (word for word in _words.findall(text.casefold()) if word not in _STOP)
    return {part for word in words for part in (_pairs(word) if _unspaced.match(word) else [_stem(word)])}


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(max(1, len(run) - 1))]


def _stem(word: str) -> str:
    for ending in ("ies", "ing", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
