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
    ("a Groq key", re.compile(r"\bgsk_[A-Za-z0-9]{40,}")),
    ("an xAI key", re.compile(r"\bxai-[A-Za-z0-9]{40,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}")),
    ("a bearer token", re.compile(r"(?i)\bbearer[ \t]+(?=\S*\d)[A-Za-z0-9._~+/=-]{20,}")),
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
_SCRIPTS = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
_TWINS = frozenset(
    "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0458\u0455\u04bb\u0501\u051b\u051d\u0475\u0410\u0412\u0421"
    "\u0415\u041d\u0406\u0408\u041a\u041c\u041e\u0420\u0405\u0422\u0425\u0423\u051a\u051c\u043a\u04cf\u04c0"
    "\u03bf\u03bd\u03b9\u03c1\u03c5\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
)
"""Cyrillic and Greek letters that look like Latin ones; those of formulas, such as delta, do not."""
_LATIN_TWINS = frozenset("aceopxy")
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
    """Words in which letters of another script pass for their own, and styled letters."""
    for file, number, line in _lines(version):
        if line.isascii():
            continue
        for match in _WORD.finditer(line):
            word = match[0]
            if word.isascii():
                continue
            if odd := next(_odd_letters(word), None):
                at, name = odd
                message = f"{word!r} holds {word[at]!r} ({name.lower()}, U+{ord(word[at]):04X})."
                yield Draft("look-alike", message, number, match.start() + at + 1, file, "Type the plain letter of its script.")


def _odd_letters(word: str) -> Iterator[tuple[int, str]]:
    """Place and name of each letter that passes for one of another script; a word may well join two scripts."""
    names = [unicodedata.name(letter, "") for letter in word]
    yield from ((n, name) for n, name in enumerate(names) if name.startswith(_STYLED))
    latin = [n for n, name in enumerate(names) if name.startswith("LATIN")]
    foreign = [n for n, name in enumerate(names) if name.startswith(_SCRIPTS)]
    if latin and all(word[n] in _TWINS or names[n].startswith(("ARMENIAN", "CHEROKEE")) for n in foreign):
        yield from ((n, names[n]) for n in foreign)
    elif len(latin) < len(foreign) and all(word[n] in _LATIN_TWINS for n in latin):
        yield from ((n, names[n]) for n in latin)
