"""The answers to one case side by side, below their passages and prompts."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmops.domain.paging import pages
from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.domain.retrieval import Hit
from llmops.domain.runs import CellResult
from llmops.reporting.quoted import BAR, Quoted
from llmops.reporting.safe import one_line, safe, unbroken
from llmops.reporting.tables import new_table

NARROWEST = 36
"""Columns of the terminal that an answer needs to be read."""

GONE = "the passages are no longer in the store"

VERDICTS = {True: ("passed", "green"), False: ("not passed", "red"), None: ("not judged", "dim")}


@record
class CaseOutputs:
    """All answers to one case."""

    case_id: str
    hits: tuple[Hit, ...] | None
    """Retrieved passages, best first, then those that the case gave; None: what was retrieved is no longer in the store."""
    prompts: Mapping[str, tuple[Message, ...] | str]
    """By `prompt_place`: the rendered messages, or why they cannot be shown."""
    results: tuple[CellResult, ...]
    """In the order of the run."""
    question: str = ""
    """What the case asked; empty when its dataset is another by now."""


def print_outputs(console: Console, case: CaseOutputs) -> None:
    """One case: passages, in full unless a prompt below may hold them, then rendered prompts, then answers."""
    console.print()
    console.print(Quoted(Group(*_parts(case, console.width - len(BAR)))))


def _parts(case: CaseOutputs, width: int) -> Iterator[RenderableType]:
    yield Text.assemble((unbroken(case.case_id), "bold"), f"  {one_line(case.question, 300)}")
    in_full = all(isinstance(messages, str) for messages in case.prompts.values())
    if case.hits is None:
        yield _indented(Text(GONE, style="yellow"))
    for number, hit in enumerate(case.hits or (), start=1):
        heading = f" > {hit.heading}" if hit.heading else ""
        yield _indented(Text(f"[{number}] {one_line(hit.source + heading, 90)}", style="dim"))
        text = safe(hit.text) if in_full else one_line(hit.text, 160)
        yield _indented(Text(text, style="dim"), 6)
    for reference, messages in case.prompts.items():
        yield from _prompt(reference, messages)
    columns = max(1, (width - 2) // (NARROWEST + 2))
    for some in pages(case.results, columns):
        yield _indented(_beside(some))


def _prompt(reference: str, messages: tuple[Message, ...] | str) -> Iterator[RenderableType]:
    if isinstance(messages, str):
        yield _indented(Text(f"prompt {safe(reference)}: not shown, {safe(messages)}", style="yellow"))
        return
    yield _indented(Text(f"prompt {safe(reference)}", style="bold"))
    for message in messages:
        yield _indented(Text(f"{message.role}:", style="dim"), 4)
        yield _indented(Text(safe(message.shown)), 6)


def _beside(results: Sequence[CellResult]) -> Table:
    table = new_table()
    for result in results:
        table.add_column(Text(safe(place_of(result))), ratio=1, overflow="fold")
    table.add_row(*(_answer(result) for result in results))
    return table


def place_of(result: CellResult) -> str:
    """Prompt, target and repeat."""
    return " · ".join(part for part in (result.prompt, result.target, f"#{result.repeat + 1}" if result.repeat else "") if part)


def prompt_place(result: CellResult) -> str:
    """What `CaseOutputs` calls its prompt: each answer of a conversation has one of its own."""
    return place_of(result) if result.earlier else result.prompt


def _answer(result: CellResult) -> RenderableType:
    verdict, style = VERDICTS[result.passed if result.covered or result.passed is False else None]
    parts = [Text(verdict, style=style)]
    if result.error:
        parts.append(Text(safe(result.error), style="red"))
    if result.output is not None:
        parts.append(Text(safe(result.output)))
    for number, hit in enumerate(result.contexts, start=1):
        parts.append(Text(f"[{number}] {one_line(f'{hit.source}: {hit.text}', 160)}", style="dim"))
    for name, evaluation in result.evaluations.items():
        if evaluation.passed is False or evaluation.status == "failed":
            parts.append(Text(f"{name}: {one_line(evaluation.reason, 300)}", style="red"))
    return Group(*parts)


def _indented(part: RenderableType, by: int = 2) -> Padding:
    return Padding(part, (0, 0, 0, by), expand=False)
