"""What changed between two versions of a prompt: text word by word, variables, parameters, tokens and cost."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from statistics import fmean
from typing import Any, Literal

from llmops.domain.errors import TemplateError
from llmops.domain.keys import canonical
from llmops.domain.models import Price
from llmops.domain.prompts import Bump, Message
from llmops.domain.records import record
from llmops.prompting.roles import MessageSource
from llmops.prompting.semver import needed_bump
from llmops.prompting.syntax import SHARED
from llmops.prompting.template import PromptVersion
from llmops.prompting.variables import Variable

Mark = Literal[" ", "-", "+"]
CONTEXT_LINES = 3
MAX_WORDS = 2_000
"""Words of a line beyond which it is marked as a whole: comparing takes time that grows with their square."""
_WORD = re.compile(r"\w+|\s+|[^\w\s]")

Inputs = Sequence[tuple[Mapping[str, Any], Sequence[Any]]]
"""Variable values and hits of each case."""


@record
class Words:
    """A stretch of a line."""

    text: str
    changed: bool


@record
class DiffLine:
    """A line of a unified diff."""

    mark: Mark
    words: tuple[Words, ...]

    @property
    def text(self) -> str:
        """The whole line, without its mark."""
        return "".join(part.text for part in self.words)


@record
class Hunk:
    """Changed lines with those around them."""

    before_line: int
    """1-based line of the old file."""
    after_line: int
    lines: tuple[DiffLine, ...]


@record
class MessageDiff:
    """One message or shared file in both versions; a role of None means that this version has no such message.

    The role of a shared file is its path.
    """

    before_role: str | None
    after_role: str | None
    hunks: tuple[Hunk, ...]
    """Empty when the text is the same."""


@record
class VariableChange:
    """A variable that was added, removed or declared anew."""

    name: str
    before: Variable | None
    after: Variable | None


@record
class ValueChange:
    """A model parameter whose value changed; None: not there."""

    name: str
    before: Any
    after: Any


@record
class PromptDiff:
    """Everything that differs, apart from tokens and cost."""

    messages: tuple[MessageDiff, ...]
    """All messages, in the order of the new version, then the shared files."""
    variables: tuple[VariableChange, ...]
    parameters: tuple[ValueChange, ...]
    description: tuple[str, str] | None
    """Before and after, when it changed."""
    bump: Bump | None
    """The part of the version that this change raises; None when the hashes are equal."""


@record
class CostDelta:
    """Input tokens of both versions for one model, over the cases that both can render."""

    model: str
    cases: int
    skipped: int
    """Cases that one of the versions could not render."""
    before_tokens: float | None
    """Mean per call; None when no case could be rendered."""
    after_tokens: float | None
    before_usd_per_1000: float | None
    """Input cost of 1,000 calls; None when the price is not known."""
    after_usd_per_1000: float | None


@record
class PromptComparison:
    """Two versions held against each other."""

    before: str
    after: str
    """Content hashes."""
    diff: PromptDiff
    costs: tuple[CostDelta, ...]
    estimated: tuple[str, ...]
    """Models whose tokens were counted with another tokenizer."""
    cases: int
    """Cases that the costs were measured on."""
    with_passages: int
    """Part of them that came with the passages of an earlier run."""


def diff_versions(before: PromptVersion, after: PromptVersion) -> PromptDiff:
    """Compare two versions."""
    names = sorted({*before.variables, *after.variables})
    pairs = [VariableChange(name, before.variables.get(name), after.variables.get(name)) for name in names]
    return PromptDiff(
        messages=tuple(_message_diffs(_parts(before), _parts(after))),
        variables=tuple(pair for pair in pairs if not _same_variable(pair.before, pair.after)),
        parameters=_changes(before.parameters, after.parameters),
        description=(before.description, after.description) if before.description != after.description else None,
        bump=needed_bump(before, after),
    )


def _parts(version: PromptVersion) -> list[MessageSource]:
    """The messages, the preamble in front of them when there is one, and the shared files."""
    shared = [MessageSource(f"{SHARED}/{name}", text, 1) for name, text in version.shared.items()]
    preamble = [MessageSource("preamble", version.preamble, version.preamble_line)] if version.preamble.strip() else []
    return [*preamble, *version.messages, *shared]


def _same_variable(before: Variable | None, after: Variable | None) -> bool:
    if before is None or after is None:
        return before is after
    return _declared(before) == _declared(after)


def _declared(variable: Variable) -> str:
    parts = [variable.type, variable.required, variable.default, variable.description, list(variable.examples)]
    return canonical(parts)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[ValueChange, ...]:
    names = sorted({*before, *after})
    pairs = [ValueChange(name, before.get(name), after.get(name)) for name in names]
    return tuple(p for p in pairs if canonical(p.before) != canonical(p.after) or (p.name in before) != (p.name in after))


def _message_diffs(before: Sequence[MessageSource], after: Sequence[MessageSource]) -> Iterator[MessageDiff]:
    roles = [message.role for message in before], [message.role for message in after]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, *roles, autojunk=False).get_opcodes():
        if tag == "equal":
            for old, new in zip(before[i1:i2], after[j1:j2], strict=True):
                yield MessageDiff(old.role, new.role, tuple(_hunks(old, new)))
            continue
        for old in before[i1:i2]:
            yield MessageDiff(old.role, None, tuple(_hunks(old, None)))
        for new in after[j1:j2]:
            yield MessageDiff(None, new.role, tuple(_hunks(None, new)))


def _hunks(old: MessageSource | None, new: MessageSource | None) -> Iterator[Hunk]:
    before, after = _lines(old), _lines(new)
    matcher = SequenceMatcher(None, before, after)
    for group in matcher.get_grouped_opcodes(CONTEXT_LINES):
        lines: list[DiffLine] = []
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [DiffLine(" ", (Words(text, False),)) for text in before[i1:i2]]
            else:
                lines += _changed_lines(before[i1:i2], after[j1:j2])
        starts = (old.line if old else 0) + group[0][1], (new.line if new else 0) + group[0][3]
        yield Hunk(*starts, tuple(lines))


def _lines(message: MessageSource | None) -> list[str]:
    text = message.source.rstrip("\n") if message else ""
    return text.split("\n") if text else []


def _changed_lines(before: Sequence[str], after: Sequence[str]) -> list[DiffLine]:
    """Removed lines, then added ones; the n-th of each are compared word by word."""
    removed, added = [], []
    for index in range(max(len(before), len(after))):
        old = before[index] if index < len(before) else None
        new = after[index] if index < len(after) else None
        old_words, new_words = _marked(old or "", new or "") if old is not None and new is not None else (None, None)
        if old is not None:
            removed.append(DiffLine("-", old_words or (Words(old, True),)))
        if new is not None:
            added.append(DiffLine("+", new_words or (Words(new, True),)))
    return removed + added


def _marked(old: str, new: str) -> tuple[tuple[Words, ...] | None, tuple[Words, ...] | None]:
    words = _WORD.findall(old), _WORD.findall(new)
    if max(len(words[0]), len(words[1])) > MAX_WORDS:
        return None, None
    matcher = SequenceMatcher(None, *words, autojunk=False)
    if matcher.ratio() < 0.3:  # two lines with little in common read better as a whole
        return None, None
    left: list[Words] = []
    right: list[Words] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if i2 > i1:
            left.append(Words("".join(words[0][i1:i2]), tag != "equal"))
        if j2 > j1:
            right.append(Words("".join(words[1][j1:j2]), tag != "equal"))
    return _joined(left), _joined(right)


def _joined(parts: Sequence[Words]) -> tuple[Words, ...]:
    """Changed words that nothing but space parts as one stretch."""
    joined: list[Words] = []
    for part in parts:
        if part.changed and len(joined) > 1 and joined[-2].changed and joined[-1].text.isspace():
            joined[-2:] = [Words(joined[-2].text + joined[-1].text + part.text, True)]
        else:
            joined.append(part)
    return tuple(joined)


def cost_deltas(
    before: PromptVersion,
    after: PromptVersion,
    inputs: Inputs,
    counters: Mapping[str, Callable[[Sequence[Message]], int]],
    prices: Mapping[str, Price | None],
) -> list[CostDelta]:
    """Tokens and input cost of both versions, measured on real variable values.

    Args:
        before: the old version.
        after: the new one.
        inputs: values and hits of each case.
        counters: for each model, the number of input tokens of a list of messages.
        prices: for each model its price, None when it is not known.
    """
    rendered = [(_rendered(before, *case), _rendered(after, *case)) for case in inputs]
    both = [(old, new) for old, new in rendered if old is not None and new is not None]
    deltas = []
    for model, count in counters.items():
        old_tokens = fmean(count(old) for old, _ in both) if both else None
        new_tokens = fmean(count(new) for _, new in both) if both else None
        price = prices.get(model)
        costs = (_per_1000(old_tokens, price), _per_1000(new_tokens, price))
        deltas.append(CostDelta(model, len(both), len(rendered) - len(both), old_tokens, new_tokens, *costs))
    return deltas


def _rendered(version: PromptVersion, vars: Mapping[str, Any], contexts: Sequence[Any]) -> tuple[Message, ...] | None:
    try:
        return version.render(vars, contexts)
    except TemplateError:
        return None


def _per_1000(tokens: float | None, price: Price | None) -> float | None:
    if tokens is None or price is None or price.input_per_million is None or price.usd_per_hour is not None:
        return None
    return tokens * 1_000 * price.input_per_million / 1_000_000
