"""Cells that broke against the baseline as a code host's annotations, each at the file of its prompt."""

import json
from collections.abc import Iterator, Sequence

from llmops.domain.keys import content_hash
from llmops.domain.reports import Flip, Report
from llmops.domain.words import many
from llmops.reporting.safe import one_line, safe
from llmops.reporting.sarif import SarifResult, SarifRule, to_sarif

RULES = (
    SarifRule("critical-case-broken", "A case that must never break passed in the baseline and fails now.", "error"),
    SarifRule("case-broken", "A case passed in the baseline and fails now.", "warning"),
)


def flips_sarif(reports: Sequence[Report], folder: str = "") -> str:
    """The broken cells as SARIF, each at the file of its prompt; `folder` as in `to_sarif`."""
    results = [
        SarifResult(rule.id, rule.level, _message(flip), prompt_file(report, flip))
        for report, flip in _broken(reports)
        for rule in (RULES[0] if flip.critical else RULES[1],)
    ]
    more = [SarifResult(RULES[1].id, RULES[1].level, told, report.suite) for report, told in _further(reports)]
    return to_sarif(RULES, results + more, folder)


def flips_code_quality(reports: Sequence[Report], folder: str = "") -> str:
    """The broken cells as a GitLab code-quality report, a JSON array; `folder` as in `to_sarif`."""
    issues = [
        _issue(
            _message(flip),
            folder + prompt_file(report, flip),
            (report.suite, flip.case_id, flip.prompt, flip.target, str(flip.repeat)),
            critical=flip.critical,
        )
        for report, flip in _broken(reports)
    ]
    more = [_issue(told, folder + report.suite, (report.suite, "further")) for report, told in _further(reports)]
    return json.dumps(issues + more, indent=1, ensure_ascii=True) + "\n"


def _issue(message: str, path: str, place: Sequence[str], *, critical: bool = False) -> dict[str, object]:
    return {
        "description": safe(message),
        "check_name": RULES[0 if critical else 1].id,
        "fingerprint": content_hash("\0".join(place)),
        "severity": "critical" if critical else "minor",
        "location": {"path": safe(path), "lines": {"begin": 1}},
    }


def _broken(reports: Sequence[Report]) -> Iterator[tuple[Report, Flip]]:
    return ((report, flip) for report in reports for flip in report.flips if flip.broken)


def _further(reports: Sequence[Report]) -> Iterator[tuple[Report, str]]:
    """Of each report that holds only the first of its flips: how many further cells broke."""
    for report in reports:
        further = report.broken - sum(flip.broken for flip in report.flips)
        if further > 0:
            yield (
                report,
                f"{many(further, 'further cell')} broke against the baseline",
            )


def _message(flip: Flip) -> str:
    reason = f": {one_line(flip.reason, 200)}" if flip.reason else ""
    return f"{flip.case_id} passed in the baseline and fails now ({', '.join(flip.evaluators)} on {flip.target}){reason}"


def prompt_file(report: Report, flip: Flip) -> str:
    """The file whose change broke a cell: that of its prompt, or the suite of recorded answers."""
    name, _, which = flip.prompt.partition("@")
    if not name:
        return report.suite
    return f"prompts/{name}/versions/{which}.j2" if which[:1].isdigit() else f"prompts/{name}/prompt.j2"
