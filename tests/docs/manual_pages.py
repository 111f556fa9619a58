"""The pages of the manual as the tests of this folder see them."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_HEADING = re.compile(r"(#{1,6}) (.+)")
_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    path: str
    """Relative to the repository's root."""
    text: str

    @property
    def prose(self) -> str:
        """The text without fenced code, which keeps its lines empty."""
        return _FENCE.sub(lambda match: "\n" * match[0].count("\n"), self.text)

    @property
    def headings(self) -> list[str]:
        return [match[2] for line in self.prose.split("\n") if (match := _HEADING.fullmatch(line))]

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    def examples(self, language: str) -> list[str]:
        return [body for name, body in _FENCE.findall(self.text) if name == language]

    def sections(self) -> dict[str, str]:
        """Text under each heading up to the next one, whitespace collapsed, by the heading's anchor."""
        found: dict[str, list[str]] = {}
        lines: list[str] = []
        for line, prose in zip(self.text.split("\n"), self.prose.split("\n"), strict=True):
            match = _HEADING.fullmatch(prose)
            if match:
                lines = found.setdefault(anchor(match[2]), [])
            lines.append(line)
        return {name: " ".join(" ".join(body).split()) for name, body in found.items()}


def anchor(heading: str) -> str:
    """As GitHub makes it: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def pages() -> dict[str, Page]:
    found = (Page(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in DOCS.rglob("*.md"))
    return {page.path: page for page in sorted(found, key=lambda page: page.path)}


def rows(name: str) -> list[dict[str, Any]]:
    """The lines of a JSONL dataset of the sample project."""
    text = (ROOT / "datasets" / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def holds(text: str, fact: str) -> bool:
    """Whether a fact stands verbatim in a text, not as a part of a longer word."""
    return re.search(rf"(?<!\w){re.escape(fact)}(?!\w)", text) is not None
