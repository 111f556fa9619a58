"""What labels say about an evaluator, for a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmops.domain.calibrations import Agreement, CalibrationReport, Figure, Verdicts
from llmops.reporting.safe import safe
from llmops.reporting.tables import new_table


def print_calibration(console: Console, report: CalibrationReport) -> None:
    """The whole report."""
    console.print(Text.assemble((safe(report.evaluator), "bold"), f"  {report.labels} labels  ", (f"run {report.run}", "dim")))
    if report.unused:
        console.print(Text(f"{report.unused} labels are of answers that this run does not hold", style="dim"))
    console.print(_agreement(report))
    if report.verdicts is not None:
        console.print(_verdicts(report.verdicts))
        if report.verdicts.total < report.labels:
            told = f"effective numbers: labels that were picked for doubt count by their chance, all {report.labels}"
            console.print(Text(f"{told} say as much as {report.verdicts.total} others", style="dim"), soft_wrap=True)
        fitted = "  (cross-fitted: the limit comes from these labels)" if report.cross_fitted else ""
        rates = f"sensitivity {_percent(report.sensitivity)}   specificity {_percent(report.specificity)}{fitted}"
        console.print(Text(rates), soft_wrap=True)
    if report.threshold is not None:
        side = "max" if report.lower_is_better else "min"
        console.print(f"limit that the labels suggest: {side}: {report.threshold:.6g}", soft_wrap=True)
    for line in _corrected(report):
        console.print(Text(line), soft_wrap=True)
    console.print(Text(f"-> {safe(report.file)}", style="dim"), soft_wrap=True)


def _agreement(report: CalibrationReport) -> Table:
    table = new_table("labels of", "n", "agree", "kappa [95 %]", "alpha")
    for name, each in (("all", report.whole), *report.slices.items()):
        table.add_row(Text(safe(name)), *_row(each))
    return table


def _row(agreement: Agreement) -> tuple[str, ...]:
    kappa, alpha = agreement.kappa, agreement.alpha
    shown = "not defined" if kappa is None else f"{kappa.value:.2f}"
    if kappa is not None:
        shown += " [not known]" if kappa.low is None or kappa.high is None else f" [{kappa.low:.2f}, {kappa.high:.2f}]"
    return str(agreement.labels), f"{agreement.same:.0%}", shown, "not defined" if alpha is None else f"{alpha:.2f}"


def _verdicts(verdicts: Verdicts) -> Table:
    table = new_table("people", "it passes", "it fails")
    table.add_row("pass", str(verdicts.right_passes), str(verdicts.wrong_failures))
    table.add_row("fail", str(verdicts.wrong_passes), str(verdicts.right_failures))
    return table


def _corrected(report: CalibrationReport) -> list[str]:
    if report.corrected is None:
        return [f"no corrected figure: {report.reason}"]
    binary = report.verdicts is not None
    shown = _percent if binary else _number
    what = "pass rate of the answers without a label" if binary else "mean as people would give it"
    raw = f"raw {_percent(report.raw)}, " if report.raw is not None else ""
    lines = [f"{what}: {raw}corrected {shown(report.corrected)}"]
    if report.further_labels is not None:
        lines.append(f"{report.further_labels} more labels would halve the corrected interval")
    elif binary:
        lines.append("more labels alone would not halve the interval: it takes more cases")
    return lines


def _percent(estimate: Figure | None) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return "not known"
    return f"{100 * estimate.value:.1f} % [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _number(estimate: Figure) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3g}"
    return f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"
