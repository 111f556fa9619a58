"""Lint rules about characters: secrets, look-alikes from other scripts, and what cannot be seen."""

import re
import unicodedata
from collections.abc import Iterator

from llmops.prompting.findings import Draft
from llmops.prompting.syntax import SHARED
from llmops.prompting.template import PromptVersion

_SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an OpenAI or Anthropic key", re.compile(r"\bsk-[A-Za-z0-9_-]{20,}")),
    ("an AWS access key id", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a Google API key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a JSON web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("credentials in a URL", re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@{}]{1,100}:[^\s/:@{}]{3,100}@")),
    (
        "a credential",
        re.compile(
            r"(?i)\b(?:api[_-]?key|secret|token|passw(?:or)?d)\b[\"']?[ \t]*[:=][ \t]*[\"']?"
            r"(?=[^\s\"']*\d)[A-Za-z0-9_+/=-]{16,}"
        ),
    ),
)

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_JOINERS = "\u200c\u200d"
_WORD = re.compile(r"[^\W\d_]{2,}")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
_STYLED = ("FULLWIDTH", "MATHEMATICAL")


def _files(version: PromptVersion) -> Iterator[tuple[str | None, str]]:
    """The prompt's own text, and the shared files that it uses."""
    yield None, version.text
    for name, text in version.shared.items():
        yield f"{SHARED}/{name}", text


def _lines(version: PromptVersion) -> Iterator[tuple[str | None, int, str]]:
    for file, text in _files(version):
        for number, line in enumerate(text.split("\n"), 1):
            yield file, number, line


def secrets(version: PromptVersion) -> Iterator[Draft]:
    """Text that looks like a credential; the message never holds it."""
    for file, number, line in _lines(version):
        for what, pattern in _SECRETS:
            match = pattern.search(line)
            if match:
                hint = "Take it out, and revoke it: it is in the history of the repository."
                yield Draft("secret", f"this looks like {what}.", number, match.start() + 1, file, hint)
                break


def invisible(version: PromptVersion) -> Iterator[Draft]:
    """Zero-width characters, direction marks, tag characters and control characters."""
    for file, number, line in _lines(version):
        if line.isascii() and line.isprintable():
            continue
        for match in _INVISIBLE.finditer(line):
            if match[0] in _JOINERS and _joins(line, match.start()):
                continue
            code = f"U+{ord(match[0]):04X}"
            name = unicodedata.name(match[0], "control character").lower()
            message = f"{code} ({name}) cannot be seen, and models read it."
            yield Draft("invisible-character", message, number, match.start() + 1, file, "Delete it.")


def _joins(line: str, at: int) -> bool:
    """Whether a joiner stands where scripts and emoji need it: not between ASCII characters."""
    before, after = line[:at].rstrip("\ufe0f")[-1:], line[at + 1 : at + 2]
    return bool(before) and bool(after) and not before.isascii() and not after.isascii()


def look_alikes(version: PromptVersion) -> Iterator[Draft]:
    """Words that mix Latin letters with those of a script that has similar ones, or use styled letters."""
    for file, number, line in _lines(version):
        if line.isascii():
            continue
        for match in _WORD.finditer(line):
            word = match[0]
            if word.isascii():
                continue
            names = [unicodedata.name(letter, "") for letter in word]
            scripts = {script for name in names for script in _SCRIPTS if name.startswith(script)}
            odd = [n for n, name in enumerate(names) if name.startswith(_STYLED)]
            if "LATIN" in scripts and len(scripts) > 1:
                odd = odd or [n for n, name in enumerate(names) if not name.startswith("LATIN")]
            if odd:
                letter = word[odd[0]]
                message = f"{word!r} holds {letter!r} ({names[odd[0]].lower()}, U+{ord(letter):04X})."
                yield Draft("look-alike", message, number, match.start() + odd[0] + 1, file, "Type the plain letter.")
