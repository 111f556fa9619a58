"""Finds where an answer only names its sources, as in "(docs/a.md)" and "Source: docs/a.md", which claims nothing."""

import re
from collections.abc import Iterable, Iterator

from llmops.scoring.sentences import blank

_HERE = "\ue000"
"""Stands for each character of a name that was found."""
_LABELS = (
    "sources? references? citations? cited refs? see also cf found taken from in and the pages? sections? lines? pp? [0-9]+"
)
_label = rf"(?:\b(?:{'|'.join(_LABELS.split())})\b|[^\w\n])"
_part = r"(?:#[\w./-]{1,100})?(?::[0-9]{1,7}(?:-[0-9]{1,7})?)?"
"""A heading or lines of a file, behind its name."""
_INTRODUCED = r"[(\[]|\b(?:sources?|references?|citations?|see|cf)\b[^\w\n]{1,5}(?:the )?"
"""Stands before the name of a source that may be any word."""
_path_like = re.compile(r"[/\\#]|\.[A-Za-z]\w{0,9}$")
"""Nothing else that an answer says looks like that; a word or a number may stand in any sentence."""
_letter = re.compile(r"[^\W\d_]")
_unnamed = re.compile(r"given|application|contexts\[[0-9]+\]")
"""What passages without a name are called."""
_link = re.compile(rf"\[([^\[\]\n]{{0,200}})\](\( *{_HERE}+ *\))")
_bracket = re.compile(rf"(?<!\])[(\[](?=[^()\[\]\n]{{0,300}}{_HERE})(?:(?![()\[\]]){_label}){{1,300}}[)\]]", re.IGNORECASE)
_line = re.compile(rf"^(?=.*{_HERE}){_label}*$", re.IGNORECASE | re.MULTILINE)
_list = r"^[^\w\n]*(?:sources?|references?|citations?)"
_heading = re.compile(rf"{_list}(?:[^\w\n]|[0-9])*$", re.IGNORECASE | re.MULTILINE)
_unknown = re.compile(rf"{_list}[^\w\n]*:[^\n]{{1,300}}$", re.IGNORECASE | re.MULTILINE)


def without_attributions(answer: str, sources: Iterable[str]) -> str:
    """The answer with spaces in place of the names of its sources and of what only introduces them; offsets stay.

    The name of a file that is none of the sources stays, for it may be invented.

    Args:
        answer: as the model wrote it.
        sources: names of the passages, such as paths and addresses. Where nobody knows them, what an answer gives in a line of
            its own as its source is believed.
    """
    names = {form for source in sources if not _unnamed.fullmatch(source) for form in _forms(source)}
    if not names:
        return _blanked(_heading, _blanked(_unknown, answer))
    paths = {name for name in names if _path_like.search(name)}
    found = answer
    for before, some in (("", paths), (_INTRODUCED, names - paths)):
        if some:
            known = "|".join(map(re.escape, sorted(some, key=len, reverse=True)))
            named = re.compile(
                rf"({before})((?<![\w/.-])[`*_]{{0,3}}(?:\./)?(?:{known}){_part}[`*_]{{0,3}}(?![\w/-]))", re.IGNORECASE
            )
            found = named.sub(lambda name: name[1] + _HERE * len(name[2]), found)
    found = _link.sub(lambda link: f" {link[1]} {blank(link[2])}", found)
    for pattern in (_bracket, _line, _heading):
        found = _blanked(pattern, found)
    return found.replace(_HERE, " ")


def _forms(source: str) -> Iterator[str]:
    """How an answer may call a source: as it is, or by the last part of its path."""
    for form in (source, re.split(r"[/\\]", source)[-1]):
        if len(form) > 1 and _letter.search(form):
            yield form


def _blanked(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: blank(found[0]), text)
