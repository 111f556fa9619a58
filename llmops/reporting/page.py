"""A run as one HTML file: verdict, figures with their intervals, what flipped, and every case with its passages and prompts.

The page holds no script and loads nothing, and its policy forbids both; all text of strangers is escaped.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from llmops.domain.amounts import amount, dollars, seconds
from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.domain.reports import EvaluatorSummary, Flip, Group, Report
from llmops.domain.retrieval import Hit
from llmops.domain.runs import CellResult, EvaluatorResult
from llmops.domain.scores import Span
from llmops.domain.words import many
from llmops.reporting.figures import agreed, corrected, counted, duration, estimate_of, headline, leading, levels, metric_of
from llmops.reporting.flips import flaky, power, told
from llmops.reporting.outputs import GONE, CaseOutputs, place_of
from llmops.reporting.safe import one_line, safe
from llmops.settings.secrets import masked_parts

Cases = Callable[[], Iterable[CaseOutputs]]
"""Reads the cases of a run anew."""

TEMPLATE = Path(__file__).parent / "templates" / "page.html.j2"
MOST_CASES = 1000
"""Cases on a page; those that did not pass come before those that did."""
LONGEST_DIFF = 20_000
"""Characters of both answers together, beyond which their differences are not marked."""
BAR = 120
"""Width of a bar that stands for 100 %, in pixels."""
FAILED = ("!", "failed")
SYMBOLS = {True: ("✓", "pass"), False: ("✗", "fail"), None: ("·", "soft")}

_word = re.compile(r"\s+|\w+|[^\w\s]")


@record
class Bar:
    """A share and its interval in pixels."""

    width: int
    value: float
    low: float
    high: float


@record
class Figure:
    """What stands for an evaluator in a table."""

    text: str
    below: str
    bar: Bar | None = None


@record
class ShownFlip:
    """A flip with the words that went and came marked."""

    flip: Flip
    before: list[tuple[str, str]]
    after: list[tuple[str, str]]


@record
class ShownCell:
    """One answer."""

    place: str
    symbol: str
    style: str
    beside: str
    error: str | None
    answer: list[tuple[str, str]] | None
    evaluations: list[dict[str, str]]
    calls: list[str]
    contexts: tuple[Hit, ...]
    """What came with the answer."""


@record
class ShownCase:
    """All answers to one case."""

    case_id: str
    question: str
    fine: bool
    prompts: list[tuple[str, tuple[Message, ...] | str]]
    hits: tuple[Hit, ...] | None
    """None: what was retrieved is no longer in the store."""
    cells: list[ShownCell]


@record
class ShownReport:
    """One run."""

    report: Report
    sentences: list[str]
    figures: list[tuple[str, list[Figure | None]]]
    flips: list[ShownFlip]
    cases: Callable[[], Iterator[ShownCase]]
    left_out: int


def to_html(reports: Sequence[tuple[Report, Cases]]) -> Iterator[str]:
    """The runs of one command as one page, piece by piece."""
    finalize: Callable[[Any], Any] = lambda value: safe(value) if type(value) is str else value  # noqa: E731
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=finalize)
    environment.filters |= {"duration": duration, "estimate": estimate_of, "many": many, "line": partial(one_line, width=80)}
    environment.globals["gone"] = GONE
    source = TEMPLATE.read_text(encoding="utf-8")
    yield from environment.from_string(source).generate(reports=[_shown(report, cases) for report, cases in reports])


def _shown(report: Report, cases: Cases) -> ShownReport:
    fine = [_passed(case) for case in cases()]
    room = max(0, MOST_CASES - fine.count(False))
    left_out = max(0, fine.count(True) - room) + max(0, fine.count(False) - MOST_CASES)
    beside = (told(report), flaky(report), power(report.power) if report.power else "", levels(report.rules))
    sentences = [line for line in beside if line]
    flips = [_flip(flip) for flip in report.flips]
    return ShownReport(
        report, sentences, list(_figures(report.groups)), flips, partial(_cases, cases, room, _units(report.groups)), left_out
    )


def _figures(groups: Sequence[Group]) -> Iterator[tuple[str, list[Figure | None]]]:
    """A row for each evaluator, then what the answers cost and took."""
    for name in dict.fromkeys(summary.name for group in groups for summary in group.evaluators):
        found = [next((s for s in group.evaluators if s.name == name), None) for group in groups]
        yield name, [None if summary is None else _figure(summary) for summary in found]
    yield (
        "cost of the answers",
        [Figure(dollars(group.spend.cost_usd), f"spent now {dollars(group.spend.spent_usd)}") for group in groups],
    )
    yield (
        "latency, live",
        [
            Figure(f"p50 {seconds(group.latency.live_p50_s)}", f"p95 {seconds(group.latency.live_p95_s)}")
            if group.latency.live
            else None
            for group in groups
        ],
    )


def _figure(summary: EvaluatorSummary) -> Figure:
    below = " · ".join(part.strip() for part in (counted(summary), corrected(summary), agreed(summary)) if part)
    metric = metric_of(summary, leading(summary)[0])
    bar = None
    if metric is not None and metric.unit == "%":
        low, high = (metric.value if end is None else end for end in (metric.low, metric.high))
        bar = Bar(BAR, round(BAR * metric.value, 1), round(BAR * low, 1), round(BAR * high, 1))
    return Figure(headline(summary), below, bar)


def _units(groups: Sequence[Group]) -> dict[str, str]:
    """Of a value of each evaluator."""
    found = {summary.name: metric_of(summary, "mean") for group in groups for summary in group.evaluators}
    return {name: metric.unit for name, metric in found.items() if metric is not None}


def _flip(flip: Flip) -> ShownFlip:
    before, after = flip.baseline_output, flip.candidate_output
    if len(before) + len(after) > LONGEST_DIFF:
        return ShownFlip(flip, [("", before)], [("", after)])
    old, new = _word.findall(before), _word.findall(after)
    gone, came = [], []
    for what, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone.append(("" if what == "equal" else "gone", "".join(old[a:b])))
        came.append(("" if what == "equal" else "new", "".join(new[c:d])))
    return ShownFlip(flip, gone, came)


def _passed(case: CaseOutputs) -> bool:
    """Whether every answer was judged and passed, and no evaluator failed."""
    return all(result.passed and result.covered for result in case.results)


def _cases(cases: Cases, room: int, units: Mapping[str, str]) -> Iterator[ShownCase]:
    """In the order of the run: those that did not pass, and as many that did as there is room for."""
    bad = 0
    for case in cases():
        cells = [_cell(result, units) for result in case.results]
        fine = _passed(case)
        bad, room = (bad, room - 1) if fine else (bad + 1, room)
        if room >= 0 if fine else bad <= MOST_CASES:
            yield ShownCase(case.case_id, one_line(case.question, 200), fine, list(case.prompts.items()), case.hits, cells)


def _cell(result: CellResult, units: Mapping[str, str]) -> ShownCell:
    symbol, style = SYMBOLS[result.passed] if result.covered or result.passed is False else FAILED
    told = [seconds(result.latency_s)] if result.latency_s is not None else []
    told += [dollars(result.cost_usd)] if result.cost_usd is not None else []
    told += ["reused"] if result.cached else []
    spans = [span for each in result.evaluations.values() for span in each.spans if each.passed is not True]
    return ShownCell(
        place_of(result),
        symbol,
        style,
        " · ".join(told),
        result.error,
        None if result.output is None else list(_marked(result.output, spans)),
        [_evaluation(name, found, units.get(name, "")) for name, found in result.evaluations.items()],
        [f"{call.model}: {call.error or 'answered'}, {call.reason}" for call in result.route],
        result.contexts,
    )


def _evaluation(name: str, found: EvaluatorResult, unit: str) -> dict[str, str]:
    value = "" if found.value is None else amount(found.value, unit)
    style = "failed" if found.status == "failed" else SYMBOLS[found.passed][1]
    return {"name": name, "style": style, "value": value or found.status, "reason": found.reason}


def _marked(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    """The text in pieces, each with what is said of it; where spans overlap the first one is told."""
    cuts, said = [0], [""]
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        start, end = max(cuts[-1], span.start), min(len(text), span.end)
        if start >= end:
            continue
        source = f" ({span.source})" if span.source else ""
        cuts += [start, end]
        said += [f"{span.kind}; nearest{source}: {span.evidence}" if span.evidence else span.kind, ""]
    yield from zip(said, masked_parts(text, [*cuts, len(text)]), strict=True)
