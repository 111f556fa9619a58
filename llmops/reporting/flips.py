"""Cells that broke or were mended against the baseline: for a terminal and a pull request."""

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from llmops.domain.comparisons import Comparison
from llmops.domain.reports import Flip, Power, Report
from llmops.domain.words import many
from llmops.reporting.quoted import Quoted
from llmops.reporting.safe import markdown_text, one_line, unbroken

CASES_SHOWN = 5
"""Flips that a report shows; `llmops compare` shows all."""


def told(report: Report) -> str:
    """How many cells flipped, in a sentence; nothing without a baseline."""
    if report.baseline is None:
        return ""
    return f"{report.broken:,} broken and {report.mended:,} mended against run {report.baseline}"


def flaky(report: Report) -> str:
    """The cases that flicker, in a sentence; nothing when there is none."""
    if not report.flaky:
        return ""
    shown = [f"{each.case_id} ({each.passed} of {each.repeats})" for each in report.flaky[:CASES_SHOWN]]
    more = f", and {report.flaky_total - CASES_SHOWN:,} more" if report.flaky_total > CASES_SHOWN else ""
    return f"{report.flaky_total:,} flaky, passing in some of their repeats: {', '.join(shown)}{more}"


def power(found: Power) -> str:
    """What the cases can show, in a sentence."""
    share = f"{100 * found.discordance:.3g} % of the cases flip by chance"
    when = f"{share}, as seen here" if found.observed else f"{share}, which is assumed"
    if found.drop is None:
        return f"With {many(found.cases, 'case')} no drop of a pass rate can be told from noise ({when})."
    drop = f"With {many(found.cases, 'case')} a drop below {100 * found.drop:.1f} points cannot be told from noise"
    if found.needed <= found.cases:
        return f"{drop} ({when})."
    return f"{drop} ({when}); {found.needed:,} cases would show {100 * found.margin:.3g} points."


def print_flips(console: Console, report: Report) -> None:
    """The broken cells of a run, after how many flipped."""
    if report.flips:
        console.print(Text(f"\n{told(report)}", style="dim"), soft_wrap=True)
    for flip in [flip for flip in report.flips if flip.broken][:CASES_SHOWN]:
        print_flip(console, flip)


def print_flip(console: Console, flip: Flip) -> None:
    """One cell with both answers."""
    word, style = ("broken", "red") if flip.broken else ("mended", "green")
    place = " · ".join(unbroken(part) for part in (flip.case_id, flip.prompt, flip.target) if part)
    head = (f"\n{'critical ' if flip.critical else ''}{word} ", style)
    console.print(Text.assemble(head, (place, "bold"), f"  {unbroken(', '.join(flip.evaluators))}"), soft_wrap=True)
    if flip.reason:
        console.print(Quoted(Text(one_line(flip.reason, 200), style="dim"), 2))
    console.print(Quoted(Text.assemble(("before: ", "dim"), one_line(flip.baseline_output, 300)), 2))
    console.print(Quoted(Text.assemble(("after:  ", "dim"), one_line(flip.candidate_output, 300)), 2))


def markdown_flips(found: Report | Comparison, shown: int = CASES_SHOWN) -> Iterator[str]:
    """A folded list of cells with both answers, as lines; nothing without flips."""
    if not found.flips:
        return
    yield from ("<details><summary>Flipped cases</summary>", "")
    for flip in found.flips[:shown]:
        word = f"{'critical, ' if flip.critical else ''}{'broken' if flip.broken else 'mended'}"
        place = " · ".join(markdown_text(part) for part in (flip.case_id, flip.prompt, flip.target) if part)
        yield f"- **{place}** {word}: {markdown_text(one_line(flip.reason, 200))}"
        yield f"  - before: {markdown_text(one_line(flip.baseline_output, 300))}"
        yield f"  - after: {markdown_text(one_line(flip.candidate_output, 300))}"
    more = found.broken + found.mended - shown
    if more > 0:
        yield f"- and {more:,} more"
    yield from ("", "</details>", "")
