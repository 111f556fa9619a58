"""Text of strangers, made harmless before it is shown: model output, retrieved passages, names from datasets."""

import re
import unicodedata

from llmops.settings.secrets import masked

_escapes = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\-_])|\x9b[0-?]*[ -/]*[@-~]"
)
_command = re.compile(r"##(?=\w*\[)")
"""What Azure Pipelines and TeamCity take for a command wherever it stands in a line, such as `##vso[`."""
_last_word = re.compile(r"\s\S{1,400}\Z")
_keep = {"\n", "\t"}
_invisible = {"Cc", "Cf", "Cs", "Co"}
"""Unicode categories: controls, formats such as bidi overrides and zero-width characters, surrogates, private use."""
_never_shown = re.compile(r"[\u2065\ufdd0-\ufdef\ufff0-\uffff\U000e0000-\U000e0fff]")
"""Of the unassigned ones those that a renderer may leave out; the others can be newer than Python's tables."""
_JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner, which Persian, the scripts of India and joined emoji are written with."""
_joined = {"L", "M", "N", "S"}
"""Unicode classes between which a joiner belongs: letters, marks, digits, symbols."""


def safe(text: str) -> str:
    """`text` without terminal escapes, commands to a code host, control and invisible characters, and credentials."""
    text = _command.sub("# #", _escapes.sub("", text.replace("\r\n", "\n").replace("\N{SOFT HYPHEN}", "")))
    if text.isascii() and text.isprintable():
        return masked(text)
    kept = (c if _visible(c) or _joins(text, at) else "\N{REPLACEMENT CHARACTER}" for at, c in enumerate(text))
    return masked("".join(kept))


def _visible(character: str) -> bool:
    if character in _keep:
        return True
    category = unicodedata.category(character)
    return category not in _invisible and not (category == "Cn" and _never_shown.match(character))


def _joins(text: str, at: int) -> bool:
    """Whether a joiner stands there, between two characters that it can join."""
    beside = text[at - 1 : at + 2 : 2] if at else ""
    return text[at] in _JOINERS and len(beside) == 2 and all(unicodedata.category(c)[0] in _joined for c in beside)


def unbroken(text: str) -> str:
    """`safe` text in one line, such as the id of a case, whole."""
    return " ".join(safe(text).split())


def one_line(text: str, width: int) -> str:
    """`safe` text in one line of at most `width` characters."""
    most = width * 8 + 1000
    seen = text if len(text) <= most else _last_word.sub("", text[:most])  # half a credential would not be known for one
    flat = unbroken(seen)
    return flat if len(flat) <= width else f"{flat[: max(0, width - 1)]}…"


_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]<>()#+!|~"} | {"&": "&amp;", "\n": " ", "@": "@\u2060"})
"""Characters with a meaning in Markdown or HTML; an @ would notify whoever is called so."""
_links = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=\bGH)(?=-\d)|(?<=#)(?=\d)", re.IGNORECASE)
"""Where a code host would know a bare address or issue for one; it looks at what is shown, so that no backslash hides it."""


def markdown_text(text: str) -> str:
    """Harmless text in which nothing is markup or becomes a link."""
    return _links.sub("\u2060", safe(text).translate(_MARKDOWN))
