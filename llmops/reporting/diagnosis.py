"""A diagnosis for a terminal or as Markdown."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Column
from rich.text import Text

from llmops.domain.diagnoses import BEFORE_THE_MODEL, FAULTS, Diagnosis, Fault, Share, WrongAnswer
from llmops.domain.words import many
from llmops.reporting.quoted import BAR
from llmops.reporting.safe import markdown_text, one_line, safe, unbroken
from llmops.reporting.tables import new_table

EXAMPLES = 3
"""Of each fault."""
ADVICE: dict[Fault, str] = {
    "not in corpus": "write it down, add the file to `corpus`, or mend `relevant`",
    "not retrieved": "look with `llmops rag query`; other words, smaller chunks, a higher `k`",
    "cut": "raise the budget for passages, or lower `k` so that the first are whole",
    "ignored": "another prompt or model; fewer passages beside the right one",
    "contradicted": "another prompt or model; a gate on `hallucination`",
    "should decline": "tell the model to decline; a threshold on `refusal`",
    "unknown": "give the cases `relevant`, or a short `expected`; where the passages are gone, evaluate again",
}


def print_diagnosis(console: Console, diagnosis: Diagnosis) -> None:
    """Counts by fault and target, then examples of each."""
    console.print(Text(f"{diagnosis.run_id} · {safe(diagnosis.suite)} · index {safe(diagnosis.index)}", style="bold"))
    console.print(Text(f"wrong: not passed by {safe(', '.join(diagnosis.evaluators))}", style="dim"), soft_wrap=True)
    for line in _notes(diagnosis):
        console.print(Text(safe(line), style="yellow"), soft_wrap=True)
    places = (Column(Text(safe(_place(share))), justify="right") for share in diagnosis.shares)
    table = new_table(Column("fault", no_wrap=True), *places, "what helps")
    table.add_row("wrong", *(f"{share.wrong} of {share.answers}" for share in diagnosis.shares), "")
    for fault in _seen(diagnosis):
        table.add_row(fault, *(str(share.counts[fault]) for share in diagnosis.shares), Text(ADVICE[fault], style="dim"))
    table.add_row("lost before the model", *(_before(share) for share in diagnosis.shares), "")
    console.print(table)
    for fault in _seen(diagnosis):
        console.print(Text(f"\n{fault}", style="bold"))
        for wrong in _examples(diagnosis, fault):
            _print_example(console, wrong)
    if not diagnosis.wrong:
        console.print("No answer is wrong.")


def _print_example(console: Console, wrong: WrongAnswer) -> None:
    head = Text.assemble(f"  {BAR}", (unbroken(_cell(wrong)), "bold"), f"  {one_line(wrong.query, 160)}")
    console.print(head, soft_wrap=True)
    console.print(Text(f"  {BAR}  {one_line(wrong.detail, 400)}"), soft_wrap=True)
    if wrong.places:
        console.print(Text(f"  {BAR}  it stands at {unbroken(', '.join(wrong.places))}", style="dim"), soft_wrap=True)
    console.print(Text(f"  {BAR}  answer: {one_line(wrong.output, 200)}", style="dim"), soft_wrap=True)


def diagnosis_markdown(diagnosis: Diagnosis) -> str:
    """For a pull request."""
    title = f"## Wrong answers of {diagnosis.run_id}"
    lines = [title, "", f"Not passed by {markdown_text(', '.join(diagnosis.evaluators))}.", ""]
    lines += [f"> {markdown_text(line)}" for line in _notes(diagnosis)]
    heads = [markdown_text(_place(share)) for share in diagnosis.shares]
    lines += ["", f"| fault | {' | '.join(heads)} |", f"| --- |{' --- |' * len(heads)}"]
    lines.append(f"| wrong | {' | '.join(f'{share.wrong} of {share.answers}' for share in diagnosis.shares)} |")
    for fault in _seen(diagnosis):
        lines.append(f"| {fault} | {' | '.join(str(share.counts[fault]) for share in diagnosis.shares)} |")
    lines.append(f"| lost before the model | {' | '.join(_before(share) for share in diagnosis.shares)} |")
    for fault in _seen(diagnosis):
        lines += ["", f"**{fault}**", ""]
        for wrong in _examples(diagnosis, fault):
            lines.append(f"- {markdown_text(_cell(wrong))}: {markdown_text(one_line(wrong.query, 160))}")
            lines.append(f"  - {markdown_text(one_line(wrong.detail, 400))}")
            lines.append(f"  - answer: {markdown_text(one_line(wrong.output, 200))}")
    return "\n".join(lines) + "\n"


def _notes(diagnosis: Diagnosis) -> Iterator[str]:
    yield from diagnosis.notes
    if diagnosis.failed:
        yield f"{many(diagnosis.failed, 'cell')} without an answer: not attributed."


def _seen(diagnosis: Diagnosis) -> Sequence[Fault]:
    return [fault for fault in FAULTS if any(share.counts[fault] for share in diagnosis.shares)]


def _examples(diagnosis: Diagnosis, fault: Fault) -> Sequence[WrongAnswer]:
    """One cell of each case."""
    return list({wrong.case_id: wrong for wrong in reversed(diagnosis.wrong) if wrong.fault == fault}.values())[::-1][:EXAMPLES]


def _before(share: Share) -> str:
    """Of the wrong answers, those whose evidence never reached the model."""
    if share.before_the_model is None:
        return "-"
    count = sum(share.counts[fault] for fault in BEFORE_THE_MODEL)
    if share.interval is None:
        return f"{count} ({share.before_the_model:.0%})"
    return f"{count} ({share.before_the_model:.0%} [{100 * share.interval[0]:.0f}, {100 * share.interval[1]:.0f}])"


def _place(share: Share) -> str:
    return " · ".join(part for part in (share.prompt, share.target) if part)


def _cell(wrong: WrongAnswer) -> str:
    repeat = f"#{wrong.repeat + 1}" if wrong.repeat else ""
    return " · ".join(part for part in (wrong.case_id, wrong.prompt, wrong.target, repeat) if part)
