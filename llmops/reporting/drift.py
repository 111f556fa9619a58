"""What changed under a suite, for a terminal."""

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmops.domain.amounts import amount
from llmops.domain.drifts import Change, Drift, Moved, Signal
from llmops.domain.words import many
from llmops.reporting.safe import one_line, safe, unbroken

CASES_SHOWN = 6
TAGS_SHOWN = 4
LEFT_OUT_SHOWN = 4
STYLES = {"better": "green", "worse": "red", "changed": "yellow"}


def print_drift(console: Console, drift: Drift) -> None:
    """The changes of each prompt and target, what did not change, and the verdict."""
    first, last = drift.runs[0].started_at[:10], drift.runs[-1].started_at[:10]
    head = f"{safe(drift.suite)}: {many(len(drift.runs), 'run')}, {first}{f' to {last}' if last != first else ''}"
    console.print(Text(head, style="bold"), soft_wrap=True)
    began = {run.id: run.started_at[:16].replace("T", " ") for run in drift.runs}
    places = [(signal.prompt, signal.target) for signal in drift.signals]
    places += [(model.prompt, model.target) for model in drift.models]
    for place in dict.fromkeys(places):
        signals = [each for each in drift.signals if (each.prompt, each.target) == place]
        console.print(Text(f"\n{_place(place)}", style="bold"), soft_wrap=True)
        for model in drift.models:
            if (model.prompt, model.target) == place:
                told = f"the endpoint names {unbroken(model.name)}, and before {unbroken(', '.join(model.before))}"
                console.print(Text(f"  since {began[model.run]} {told}", style="yellow"), soft_wrap=True)
        for signal in signals:
            for change in signal.changes:
                _print_change(console, signal, change, began)
        _print_steady(console, [each for each in signals if not each.changes])
    for line in _left_out(drift):
        console.print(Text(line, style="dim"), soft_wrap=True)
    chance = f"With nothing changed, at most one report in {1 / (1 - drift.confidence):.3g} claims a change."
    console.print(Text(f"\nTimes are UTC. {chance}", style="dim"), soft_wrap=True)
    verdict = Text("CHANGED", style="bold yellow") if drift.exit_code else Text("NO CHANGE FOUND", style="bold")
    console.print(Text.assemble(verdict, f" (exit {drift.exit_code})"))


def _place(place: tuple[str, str]) -> str:
    return " · ".join(unbroken(part) for part in place if part)


def _print_change(console: Console, signal: Signal, change: Change, began: dict[str, str]) -> None:
    word = _word(signal, change)
    head = Text.assemble((f"  {word} ", STYLES[word]), (unbroken(signal.name), "bold"), f"  since {began[change.run]}")
    console.print(head, soft_wrap=True)
    sides = f"{_value(signal, change.before)} -> {_value(signal, change.after)}, {_difference(signal, change)}"
    console.print(f"    {sides}  n={change.cases}  p={signal.p_value:.3f}", soft_wrap=True, highlight=False)
    if change.earliest != change.latest:
        between = f"the first changed run is one from {began[change.earliest]} to {began[change.latest]}"
        console.print(Text(f"    {between}", style="dim"), soft_wrap=True)
    tags = [f"{one_line(each.name, 40)} ({each.cases}) {_moved(signal, each)}" for each in change.tags[:TAGS_SHOWN]]
    cases = [f"{one_line(each.name, 40)} {_moved(signal, each)}" for each in change.moved[:CASES_SHOWN]]
    for what, told in (("tags", tags), ("cases", cases)):
        if told:
            console.print(Padding(Text(f"{what}: {', '.join(told)}", style="dim"), (0, 0, 0, 4)))
    console.print(Text(f"    llmops compare {change.previous} {change.run}", style="dim"), soft_wrap=True)


def _word(signal: Signal, change: Change) -> str:
    if signal.direction == "neither":
        return "changed"
    return "better" if (change.difference > 0) is (signal.direction == "higher is better") else "worse"


def _value(signal: Signal, value: float) -> str:
    return amount(value, "%" if signal.rate else "")


def _moved(signal: Signal, moved: Moved) -> str:
    return _signed(signal, moved.after - moved.before)


def _signed(signal: Signal, value: float) -> str:
    return f"{100 * value:+z.1f}" if signal.rate else f"{'+' if value > 0 else ''}{amount(value, '')}"


def _difference(signal: Signal, change: Change) -> str:
    shown = f"{_signed(signal, change.difference)}{' points' if signal.rate else ''}"
    return shown if change.interval is None else f"{shown} [{', '.join(_signed(signal, end) for end in change.interval)}]"


def _print_steady(console: Console, signals: Iterable[Signal]) -> None:
    """The signals without a change, and how small a one would have been found."""
    table = Table(
        "no change in", "mean", "smallest found *", box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim"
    )
    for signal in signals:
        means = [mean for mean in signal.means if mean is not None]
        reach = "none" if signal.smallest is None else _signed(signal, signal.smallest).lstrip("+")
        points = " points" if signal.rate and signal.smallest is not None else ""
        table.add_row(Text(unbroken(signal.name)), _value(signal, sum(means) / len(means)), f"{reach}{points}")
    if table.rows:
        console.print(Padding(table, (0, 0, 0, 2)))
        console.print(Text("  * in the newest run, 4 times in 5", style="dim"))


def _left_out(drift: Drift) -> Iterator[str]:
    reasons = Counter(each.reason for each in drift.left_out)
    shown = reasons.most_common(LEFT_OUT_SHOWN)
    for reason, runs in shown:
        yield f"left out: {many(runs, 'run')}: {one_line(reason, 200)}"
    if rest := len(drift.left_out) - sum(runs for _, runs in shown):
        yield f"left out: {many(rest, 'run')} for other reasons"
