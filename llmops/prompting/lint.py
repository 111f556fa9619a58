"""Faults of a prompt that parses and renders all the same: the rules, what switches them off, and the findings."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from llmops.domain.errors import TemplateError
from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.prompting import lint_characters, lint_flow, lint_variables
from llmops.prompting.findings import Draft
from llmops.prompting.roles import ROLES, line_of, pieces
from llmops.prompting.semver import essence
from llmops.prompting.template import PromptVersion
from llmops.settings.validation import nearest

Severity = Literal["error", "warning"]


@record
class Rule:
    """One kind of fault."""

    id: str
    """Also the name of its page in the documentation."""
    summary: str
    severity: Severity


@record
class Finding:
    """One fault in one place."""

    rule: str
    severity: Severity
    message: str
    file: str
    line: int | None = None
    """1-based."""
    column: int | None = None
    """1-based."""
    hint: str | None = None


@record
class DatasetSample:
    """The cases of a dataset that uses the prompt."""

    file: str
    cases: Sequence[tuple[str, Mapping[str, Any]]]
    """Case id and variable values."""


@record
class Surroundings:
    """What a prompt is used with. Rules about things that are not given find nothing."""

    datasets: Sequence[DatasetSample] = ()
    others: Sequence[PromptVersion] = ()
    """The project's other prompts."""
    windows: Mapping[str, int] = field(default_factory=dict)
    """Context window in tokens by target."""
    count: Callable[[Sequence[Message]], int] | None = None
    """Number of input tokens of a list of messages."""
    contexts: Sequence[Any] = ()
    """Hits of a typical size, for measuring."""


RULES: tuple[Rule, ...] = (
    Rule("undefined-variable", "A name is used that the front matter does not declare.", "warning"),
    Rule("unused-variable", "A variable is declared and never used.", "warning"),
    Rule("dataset-mismatch", "A dataset lacks a required variable or gives it another type.", "error"),
    Rule("unreachable-branch", "A branch can never be rendered.", "warning"),
    Rule("undelimited-variable", "Text from outside stands in the prompt without marks around it.", "warning"),
    Rule("secret", "A credential stands in the text.", "error"),
    Rule("role-text", "A line looks like a role line and is not one.", "warning"),
    Rule("look-alike", "A letter of another script hides in a word.", "warning"),
    Rule("invisible-character", "A character that cannot be seen stands in the text.", "warning"),
    Rule("too-long", "The prompt does not fit the smallest context window of its targets.", "error"),
    Rule("unpinned-input", "The prompt depends on the clock or on chance.", "warning"),
    Rule("duplicate", "Another prompt has the same text.", "warning"),
    Rule("unknown-ignore", "A comment switches off a rule that does not exist.", "warning"),
)
"""All rules, in the order of the documentation."""

_SEVERITY = {rule.id: rule.severity for rule in RULES}
_IGNORE = re.compile(r"\{#[-+]?\s*llmops:\s*ignore\b([^#]*?)[-+]?#\}")
_ROLE_WORDS = (*ROLES, "human", "ai", "bot", "model")
_ROLE_TEXT = re.compile(rf"^[ \t]*({'|'.join(_ROLE_WORDS)})[ \t]*:[ \t]*(.*)$", re.IGNORECASE)


def lint(version: PromptVersion, around: Surroundings | None = None) -> list[Finding]:
    """All findings that no comment switches off, in the order of lines.

    `{# llmops: ignore RULE #}` holds for its own line and the next; above all text it holds for the whole file.
    """
    given = around or Surroundings()
    ignored, faults = _ignores(version)
    drafts = [*faults, *_drafts(version, given)]
    findings = [
        Finding(d.rule, _SEVERITY[d.rule], d.message, d.file or version.file, d.line, d.column, d.hint)
        for d in drafts
        if not ignored(d.rule, d.line if d.file in (None, version.file) else None)
    ]
    return sorted(set(findings), key=lambda f: (f.file != version.file, f.file, f.line or 0, f.column or 0, f.rule, f.message))


def _drafts(version: PromptVersion, given: Surroundings) -> Iterator[Draft]:
    yield from lint_variables.undefined(version)
    yield from lint_variables.unused(version)
    yield from lint_variables.undelimited(version)
    yield from lint_variables.unpinned(version, [case for dataset in given.datasets for _, case in dataset.cases])
    yield from lint_flow.unreachable(version)
    yield from lint_characters.secrets(version)
    yield from lint_characters.look_alikes(version)
    yield from lint_characters.invisible(version)
    yield from _dataset_mismatches(version, given.datasets)
    yield from _role_text(version)
    yield from _too_long(version, given)
    yield from _duplicates(version, given.others)


def _ignores(version: PromptVersion) -> tuple[Callable[[str, int | None], bool], list[Draft]]:
    """Whether a rule is switched off at a line, and comments that name no rule."""
    everywhere: set[str] = set()
    at: dict[int, set[str]] = {}
    faults: list[Draft] = []
    body_line = version.preamble_line
    body = "\n".join(version.text.split("\n")[body_line - 1 :])
    text_seen = False
    for piece in pieces(body):
        text = body[piece.start : piece.end]
        match = _IGNORE.match(text) if piece.kind == "comment" else None
        if match is None:
            text_seen = text_seen or (piece.kind != "comment" and bool(text.strip()))
            continue
        line = body_line + line_of(body, piece.start) - 1
        for rule in filter(None, re.split(r"[\s,]+", match[1])):
            if rule not in _SEVERITY:
                faults.append(Draft("unknown-ignore", f"there is no rule {rule!r}.", line, hint=nearest(rule, _SEVERITY)))
            elif text_seen:
                for covered in (line, line + text.count("\n"), line + text.count("\n") + 1):
                    at.setdefault(covered, set()).add(rule)
            else:
                everywhere.add(rule)
    return lambda rule, line: rule in everywhere or (line is not None and rule in at.get(line, ())), faults


def _dataset_mismatches(version: PromptVersion, datasets: Iterable[DatasetSample]) -> Iterator[Draft]:
    for dataset in datasets:
        for variable in version.variables.values():
            given = [(case, vars[variable.name]) for case, vars in dataset.cases if variable.name in vars]
            missing = len(dataset.cases) - len(given)
            if missing and variable.required:
                first = next(case for case, vars in dataset.cases if variable.name not in vars)
                message = (
                    f"`{variable.name}` is required, and {missing} of {len(dataset.cases)} cases of {dataset.file} lack it"
                )
                yield Draft("dataset-mismatch", f"{message}, the first is {first!r}.", variable.line)
            wrong = [(case, problem) for case, value in given if (problem := variable.problem_with(value))]
            if wrong:
                message = f"`{variable.name}` {wrong[0][1]} in case {wrong[0][0]!r} of {dataset.file}"
                more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                yield Draft("dataset-mismatch", f"{message}{more}.", variable.line)


def _role_text(version: PromptVersion) -> Iterator[Draft]:
    for message in version.messages:
        lines = message.source.rstrip().split("\n")
        for number, line in enumerate(lines):
            match = _ROLE_TEXT.match(line)
            if not match:
                continue
            at = message.line + number
            role = match[1].lower()
            if (match[1] in ROLES or role == "system") and match[2] and line.startswith(match[1]):  # `User: hi` may be quoted
                hint = f"Put `{role}:` on a line of its own to open a message, or indent the line."
                yield Draft(
                    "role-text", f"text follows `{match[1]}:` on its line, so no message is opened here.", at, hint=hint
                )
            elif not match[2] and number == len(lines) - 1:
                hint = "Drop it: a chat model answers in its own message."
                yield Draft(
                    "role-text", f"the message ends in {line.strip()!r}, which the model is meant to complete.", at, hint=hint
                )
            elif not match[2] and role in ROLES:
                hint = f"Write `{role}:` in lower case at column 0 to open a message."
                yield Draft("role-text", f"{line.strip()!r} does not open a message here.", at, hint=hint)


def _too_long(version: PromptVersion, given: Surroundings) -> Iterator[Draft]:
    if not given.windows or given.count is None:
        return
    target = min(given.windows, key=lambda name: given.windows[name])
    window = given.windows[target]
    reserved = next((v for k in ("max_tokens", "max_completion_tokens") if isinstance(v := version.parameters.get(k), int)), 0)
    longest, where = _longest(version, given, given.count)
    if longest + reserved > window:
        answer = f" and {reserved:,} for the answer" if reserved else ""
        message = f"{where} takes {longest:,} tokens{answer}; {target!r} reads {window:,}."
        yield Draft("too-long", message, 1, hint="Shorten it, retrieve fewer passages, or use a target with a larger window.")


def _longest(version: PromptVersion, given: Surroundings, count: Callable[[Sequence[Message]], int]) -> tuple[int, str]:
    """Tokens of the longest rendering; without cases those of the template's own text."""
    best = (count([Message("user", message.source) for message in version.messages]), "the template's own text")
    for dataset in given.datasets:
        for case, vars in dataset.cases:
            try:
                tokens = count(version.render(vars, given.contexts))
            except TemplateError:
                continue  # `dataset-mismatch` tells why
            best = max(best, (tokens, f"case {case!r} of {dataset.file}"))
    return best


def _duplicates(version: PromptVersion, others: Iterable[PromptVersion]) -> Iterator[Draft]:
    own = _text_of(version)
    for other in others:
        if other.name != version.name and _text_of(other) == own:
            yield Draft("duplicate", f"has the same text as the prompt {other.name!r}.", version.messages[0].line)


def _text_of(version: PromptVersion) -> list[tuple[str, str]]:
    return [(message.role, essence(message.source)) for message in version.messages]
