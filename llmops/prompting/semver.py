"""Semantic versions of prompts, and which part a change raises."""

import re
from dataclasses import dataclass

from llmops.domain.keys import canonical
from llmops.domain.prompts import Bump
from llmops.prompting.roles import pieces
from llmops.prompting.template import PromptVersion

BUMPS: tuple[Bump, ...] = ("patch", "minor", "major")
"""From the smallest to the largest."""
OUTPUT_CONTRACT = ("response_format", "tools", "tool_choice")
"""Model parameters that say what shape the answer has."""

_SEMVER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\Z", re.ASCII)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, order=True)
class SemVer:
    """A version number, ordered as https://semver.org says."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> "SemVer | None":
        """The number that `text` is, or None."""
        match = _SEMVER.match(text)
        return cls(int(match[1]), int(match[2]), int(match[3])) if match else None

    def raised(self, bump: Bump) -> "SemVer":
        """The next version."""
        if bump == "major":
            return SemVer(self.major + 1, 0, 0)
        return SemVer(self.major, self.minor + 1, 0) if bump == "minor" else SemVer(self.major, self.minor, self.patch + 1)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


FIRST = SemVer(1, 0, 0)


def needed_bump(old: PromptVersion, new: PromptVersion) -> Bump | None:
    """What the change from `old` to `new` asks for; None when the two are equal.

    Major: a required variable appears, disappears or changes its type, or the shape of the answer changes. Minor: the text,
    the model parameters, or a variable that callers may leave out. Patch: comments, whitespace, descriptions, examples, tags.
    """
    if old.hash == new.hash:
        return None
    if _breaks(old, new):
        return "major"
    return "minor" if _meaning(old) != _meaning(new) else "patch"


def required_variables(version: PromptVersion) -> dict[str, str]:
    """Type of each variable that a caller must give; one that is used without being declared is of type `any`."""
    undeclared = version.used_variables - set(version.variables) - {"contexts"}
    declared = {name: variable.type for name, variable in version.variables.items() if variable.required}
    return declared | dict.fromkeys(sorted(undeclared), "any")


def _breaks(old: PromptVersion, new: PromptVersion) -> bool:
    before, after = required_variables(old), required_variables(new)
    if after.keys() - before.keys():
        return True
    for name, kind in before.items():
        now = new.variables[name].type if name in new.variables else after.get(name)
        if now != kind:
            return True
    return any(canonical(old.parameters.get(key)) != canonical(new.parameters.get(key)) for key in OUTPUT_CONTRACT)


def _meaning(version: PromptVersion) -> str:
    """Everything that can change what a model is told, as one text."""
    variables = {
        name: [variable.type, variable.required, variable.default] for name, variable in sorted(version.variables.items())
    }
    messages = [[message.role, essence(message.source)] for message in version.messages]
    shared = {name: essence(text) for name, text in version.shared.items()}
    parts = [variables, version.parameters, essence(version.preamble), messages, shared]
    return canonical(parts)


def essence(source: str) -> str:
    """A template's source without comments, each stretch of whitespace as one space."""
    parts: list[str] = []
    for piece in pieces(source):
        text = source[piece.start : piece.end]
        if piece.kind in ("tag", "output"):
            text = f"{text[:2]} {text[2:-2].strip()} {text[-2:]}"
        if piece.kind != "comment":
            parts.append(text)
    return _SPACE.sub(" ", "".join(parts)).strip()
