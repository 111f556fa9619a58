"""Finds where an answer only names its sources, as in "(docs/a.md)" and "Source: docs/a.md", which claims nothing."""

import re
from collections.abc import Iterable, Iterator

_HERE = "\ue000"
"""Stands for each character of a name that was found."""
_LABELS = (
    "sources? references? citations? cited refs? see also cf found taken from in and the pages? sections? lines? pp? [0-9]+"
)
_label = rf"(?:\b(?:{'|'.join(_LABELS.split())})\b|[^\w\n])"
_part = r"(?:#[\w./-]{1,100})?(?::[0-9]{1,7}(?:-[0-9]{1,7})?)?"
"""A heading or lines of a file, behind its name."""
_name_like = re.compile(r"[./\\#:_]|\w-\w|[0-9]")
"""A single word may be any word of an answer."""
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
    forms = {form for source in sources if not _unnamed.fullmatch(source) for form in _forms(source)}
    names = sorted(forms, key=len, reverse=True)
    if not names:
        return _heading.sub(_blank, _unknown.sub(_blank, answer))
    named = re.compile(rf"(?<![\w/.-])[`*_]{{0,3}}(?:\./)?(?:{'|'.join(map(re.escape, names))}){_part}[`*_]{{0,3}}(?![\w/-])")
    found = named.sub(lambda name: _HERE * len(name[0]), answer)
    found = _link.sub(lambda link: f" {link[1]} {_blank(link, 2)}", found)
    for pattern in (_bracket, _line, _heading):
        found = pattern.sub(_blank, found)
    return found.replace(_HERE, " ")


def _forms(source: str) -> Iterator[str]:
    """How an answer may call a source: as it is, or by the last part of its path."""
    for form in (source, re.split(r"[/\\]", source)[-1]):
        if len(form) > 1 and _name_like.search(form):
            yield form


def _blank(found: re.Match[str], group: int = 0) -> str:
    return re.sub(r"[^\n]", " ", found[group])
