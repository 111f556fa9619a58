"""A report of routing policies for a terminal, and its frontier drawn with text or as SVG."""

from collections.abc import Callable, Iterator, Sequence
from xml.sax.saxutils import escape

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmops.domain.amounts import dollars, seconds
from llmops.domain.route_reports import Machine, PolicyReport, Promotion, RouteReport, ServedReport
from llmops.domain.routing import Decision
from llmops.reporting.columns import tables
from llmops.reporting.quoted import BAR
from llmops.reporting.safe import one_line, safe, unbroken
from llmops.reporting.tables import new_table
from llmops.routing.artefacts import SavedRouter

PLOT_WIDTH, PLOT_HEIGHT = 56, 12
NAME_WIDTH = 26
SVG_WIDTH, SVG_HEIGHT, SVG_MARGIN = 640, 400, 60


def print_route_report(console: Console, report: RouteReport, *, monthly: float | None = None) -> None:
    """Policies, the frontier, tags and what to know; `monthly` requests project a bill for each policy."""
    ends = f"weak {unbroken(report.weak)}, strong {unbroken(report.strong)}"
    head = f"{report.requests} requests of {safe(report.source)}: {ends}"
    console.print(Text(head, style="bold"), soft_wrap=True)
    policies = [p for p in report.policies if p.quality is not None]
    names = ("policy", [Text(one_line(p.name, NAME_WIDTH)) for p in policies])
    columns = [(title, [figure(p) for p in policies]) for title, figure in _figures(report, monthly)]
    for table in tables(names, columns, console.width):
        console.print(table)
    for line in _plot(report):
        console.print(Text(line), soft_wrap=True)
    for policy in report.policies:
        if policy.quality is None:
            console.print(Text(f"{safe(policy.name)}: {safe(policy.note)}", style="yellow"), soft_wrap=True)
    best = _sentence(report)
    if best:
        console.print(Text(best, style="bold"), soft_wrap=True)
    if report.machine is not None:
        console.print(Text(_machine(report.machine)), soft_wrap=True)
    if report.tags:
        console.print()
        console.print(_tags(report))
    for note in report.notes:
        console.print(Text.assemble(("note: ", "yellow"), safe(note)), soft_wrap=True)


def _figures(report: RouteReport, monthly: float | None) -> Iterator[tuple[str, Callable[[PolicyReport], Text]]]:
    """What is told of a policy, each with its title."""
    yield "quality", lambda p: _with_interval(p.quality, p, "quality")
    yield "$ per 1,000", lambda p: Text(dollars(p.cost))
    yield one_line(report.strong, NAME_WIDTH), lambda p: Text(f"{100 * p.share.get(report.strong, 0.0):.0f} %")
    yield "APGR", lambda p: _with_interval(p.apgr, p, "apgr")
    yield "CPT 50/80", _thresholds
    if report.current:
        yield "over current", _gained
    if any(p.latency_p95_s is not None for p in report.policies):
        yield "p50/p95", lambda p: Text(f"{_time(p.latency_p50_s)}\n{_time(p.latency_p95_s)}")
    if monthly:
        title = "$ a month" if report.machine is None else "$ a month, busy"
        yield title, lambda p: Text(dollars(None if p.cost is None else p.cost * monthly / 1000))


def _thresholds(policy: PolicyReport) -> Text:
    unknown = policy.cpt50 is None and policy.cpt80 is None
    return Text("–" if unknown else f"{_percent(policy.cpt50)}/{_percent(policy.cpt80)} %")


def _gained(policy: PolicyReport) -> Text:
    """The quality gained over the current policy, told apart from it or not."""
    if policy.over_current is None:
        return Text("–")
    low, high = policy.over_current
    word, style = ("better", "green") if low > 0 else ("worse", "red") if high < 0 else ("not told apart", "")
    return Text.assemble(f"[{low:+z.3f}, {high:+z.3f}]\n", (word, style))


def _time(value: float | None) -> str:
    return "–" if value is None else seconds(value)


def _with_interval(value: float | None, policy: PolicyReport, name: str) -> Text:
    if value is None:
        return Text("–")
    if name not in policy.intervals:
        return Text(f"{value:.3f}")
    low, high = policy.intervals[name]
    return Text(f"{value:.3f}\n[{low:.3f}, {high:.3f}]")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}"


def _sentence(report: RouteReport) -> str:
    """The cheapest policy with a threshold that may well keep enough and beats a random mixture, in one sentence."""
    strong = next((p for p in report.policies if p.name == f"always {report.strong}"), None)
    routed = [p for p in report.policies if p.apgr is not None and p.cost is not None and p.name not in ("oracle", "random")]
    enough = [p for p in routed if "kept" in p.intervals and p.intervals["kept"][1] >= report.keep]
    if strong is None or not strong.cost or not enough:
        return ""
    cheaper = [p for p in enough if (p.cost or 0.0) < strong.cost]
    chosen = [p for p in cheaper if p.better_than_random is not None and p.better_than_random[0] > 0]
    if not chosen:
        return "no policy with a threshold is told apart from a random mixture of the models" if cheaper else ""
    best = min(chosen, key=lambda p: p.cost or 0.0)
    low, high = best.intervals["kept"]
    kept = f"{100 * (best.kept or 0):.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    share = 100 * (best.cost or 0) / strong.cost
    return f"{safe(best.name)} keeps {kept} of {safe(report.strong)}'s quality at {share:.0f} % of its cost"


def _machine(machine: Machine) -> str:
    """What a machine by the hour comes to."""
    rate, name = f"{machine.requests_per_s:.3g} requests/s", safe(machine.model)
    price = f"{dollars(machine.usd_per_hour)} an hour and {rate}"
    head = f"{name} at {price} costs {dollars(machine.cost)} per 1,000 when always busy, as the figures above have it; "
    always_on = f"{head}always on it costs {dollars(machine.cost * machine.capacity / 1000)} a month"
    if machine.break_even is None:
        return f"{always_on}, and one machine, {machine.capacity:,.0f} requests, never pays beside {safe(machine.other)}"
    return f"{always_on} and pays beside {safe(machine.other)} from {machine.break_even:,.0f} requests a month on"


def _points(policies: Sequence[PolicyReport]) -> list[tuple[PolicyReport, float, float]]:
    """Policies whose cost and quality are known."""
    return [(p, p.cost, p.quality) for p in policies if p.cost is not None and p.quality is not None]


def _plot(report: RouteReport) -> list[str]:
    """Quality over cost; each policy is a letter."""
    points = _points(report.policies)
    if len(points) < 2:
        return []
    costs, qualities = [c for _, c, _ in points], [q for _, _, q in points]
    low, high = min(qualities), max(qualities)
    least, most = min(costs), max(costs)
    rows = [[" "] * PLOT_WIDTH for _ in range(PLOT_HEIGHT)]
    legend = []
    for number, (policy, cost, quality) in enumerate(points):
        letter = chr(ord("a") + number % 26)
        x = round((cost - least) / (most - least or 1) * (PLOT_WIDTH - 1))
        y = round((quality - low) / (high - low or 1) * (PLOT_HEIGHT - 1))
        place = rows[PLOT_HEIGHT - 1 - y]
        place[x] = letter if place[x] == " " else "*"
        legend.append(f"{letter} {safe(policy.name)}")
    lines = ["", "quality over cost ($ per 1,000 requests); * is more than one"]
    for index, row in enumerate(rows):
        label = f"{high:.3f}" if index == 0 else f"{low:.3f}" if index == PLOT_HEIGHT - 1 else ""
        lines.append(f"{label:>6} |{''.join(row).rstrip()}")
    lines.append(f"{'':>6} +{'-' * PLOT_WIDTH}")
    left, right = dollars(least), dollars(most)
    lines.append(f"{'':>8}{left}{right:>{PLOT_WIDTH - len(left)}}")
    return [*lines, "  ".join(legend), ""]


def _tags(report: RouteReport) -> Table:
    table = new_table("tag", "requests", safe(report.weak), safe(report.strong), "difference [95 %]", "")
    for each in report.tags:
        low, high = each.difference
        enough = "the small one is enough" if high <= 0 else "the large one is better" if low > 0 else "cannot be told apart"
        figures = (str(each.requests), f"{each.weak_quality:.3f}", f"{each.strong_quality:.3f}", f"[{low:+z.3f}, {high:+z.3f}]")
        table.add_row(Text(f"{BAR}{unbroken(each.tag)}"), *figures, enough)
    return table


def print_served(console: Console, report: ServedReport) -> None:
    """What a deployed route did."""
    console.print(Text(f"{safe(report.route)}: {report.requests} requests, {report.failed} without an answer", style="bold"))
    table = new_table("served by", "requests", "share [95 %]")
    for each in report.served:
        low, high = each.interval
        table.add_row(
            Text(safe(each.name)), str(each.requests), f"{100 * each.share:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
        )
    console.print(table)
    cost = "unknown" if report.cost is None else dollars(report.cost)
    if report.cost_interval is not None:
        cost += f" [{dollars(report.cost_interval[0])}, {dollars(report.cost_interval[1])}]"
    console.print(
        f"$ per 1,000 requests: {cost} · latency p50 {_time(report.latency_p50_s)}, p95 {_time(report.latency_p95_s)}"
    )
    if report.quality is not None and report.quality_interval is not None:
        low, high = report.quality_interval
        console.print(f"quality of {report.graded} graded requests: {report.quality:.3f} [{low:.3f}, {high:.3f}]")
    for title, counts in (("failed calls", report.errors), ("served because", report.reasons)):
        for what, count in counts.items():
            console.print(Text.assemble((f"{title}: ", "dim"), f"{count} x {one_line(what, 120)}"), soft_wrap=True)


def print_promotion(console: Console, found: Promotion, *, written: bool) -> None:
    """Both models of a canary, and what follows."""
    table = new_table("model", "graded", "quality")
    for arm in (found.old, found.new):
        interval = "" if arm.interval is None else f" [{arm.interval[0]:.3f}, {arm.interval[1]:.3f}]"
        quality = "–" if arm.quality is None else f"{arm.quality:.3f}{interval}"
        table.add_row(Text(safe(arm.model)), f"{arm.graded:,}", quality)
    console.print(table)
    if found.difference is not None and found.interval is not None:
        low, high = found.interval
        told = f"difference {found.difference:+z.3f} [{low:+z.3f}, {high:+z.3f}], margin {found.margin:g}"
        console.print(Text(told), soft_wrap=True)
    if found.new.graded < found.after:
        console.print(Text(f"{found.new.graded} of {found.after} graded answers of {safe(found.new.model)}"), soft_wrap=True)
    style = {"pass": "bold green", "fail": "bold red"}.get(found.verdict, "bold yellow")
    change = f"{found.percent_before:g} % -> {found.percent_after:g} %"
    what = f"stays at {found.percent_before:g} %" if found.percent_after == found.percent_before else change
    done = "" if written or found.percent_after == found.percent_before else " (not written)"
    console.print(Text.assemble((found.verdict.upper(), style), f": {safe(found.route)} {what}{done}"), soft_wrap=True)
    if written:
        console.print(
            Text("Start each running Router and proxy again: they serve the share that they began with."), soft_wrap=True
        )


def print_fit(console: Console, saved: SavedRouter, folder: str) -> None:
    """What was learned, how good it is, and what to write into llmops.yaml."""
    table = new_table("cross-fitted", "")
    for name, value in saved.figures.items():
        if isinstance(value, int | float):
            table.add_row(Text(safe(name)), f"{value:,}" if isinstance(value, int) else f"{value:.4g}")
    console.print(table)
    console.print("\nUse it: write this under `routes:` of llmops.yaml", style="dim")
    models = ", ".join(safe(name) for name in saved.models)
    console.print(Text(f"  learned: {{kind: learned, models: [{models}], router: {safe(folder)}}}"), soft_wrap=True)


def print_decision(console: Console, route: str, found: Decision) -> None:
    """What a route does first."""
    console.print(Text.assemble((safe(route), "bold"), f": {found.kind} over {safe(', '.join(found.models))}"))
    console.print(Text.assemble("  asks ", (safe(found.model), "bold"), f": {one_line(found.reason, 200)}"), soft_wrap=True)
    console.print(Text(f"  {safe(found.then)}", style="dim"), soft_wrap=True)


def route_svg(report: RouteReport) -> str:
    """Quality over cost as a picture."""
    points = _points(report.policies)
    low, high = min((q for _, _, q in points), default=0), max((q for _, _, q in points), default=1)
    most = max((c for _, c, _ in points), default=1) or 1
    box = f"0 0 {SVG_WIDTH} {SVG_HEIGHT}"
    below = f'x="{SVG_WIDTH / 2}" y="{SVG_HEIGHT - 15}" text-anchor="middle"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" font-family="sans-serif" font-size="12">',
        f"<title>Quality over cost of {len(points)} routing policies</title>",
        f'<path d="M{SVG_MARGIN} 20V{SVG_HEIGHT - SVG_MARGIN}H{SVG_WIDTH - 20}" fill="none" stroke="#666"/>',
        f"<text {below}>$ per 1,000 requests, 0 to {escape(dollars(most))}</text>",
        f'<text x="15" y="{SVG_HEIGHT / 2}" transform="rotate(-90 15 {SVG_HEIGHT / 2})" text-anchor="middle">quality</text>',
        f'<text x="{SVG_MARGIN - 5}" y="30" text-anchor="end">{high:.3f}</text>',
        f'<text x="{SVG_MARGIN - 5}" y="{SVG_HEIGHT - SVG_MARGIN}" text-anchor="end">{low:.3f}</text>',
    ]
    for policy, cost, quality in points:
        x = SVG_MARGIN + cost / most * (SVG_WIDTH - SVG_MARGIN - 140)
        y = SVG_HEIGHT - SVG_MARGIN - (quality - low) / (high - low or 1) * (SVG_HEIGHT - SVG_MARGIN - 30)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1f6feb"/>')
        parts.append(f'<text x="{x + 7:.1f}" y="{y + 4:.1f}">{escape(safe(policy.name))}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
