"""Cells that broke against the baseline as a code host's annotations, each at the file of its prompt."""

import json
from collections.abc import Iterator, Sequence

from llmops.domain.keys import content_hash
from llmops.domain.reports import Flip, Report
from llmops.reporting.safe import one_line, safe
from llmops.reporting.sarif import SarifResult, SarifRule, to_sarif

RULES = (
    SarifRule("critical-case-broken", "A case that must never break passed in the baseline and fails now.", "error"),
    SarifRule("case-broken", "A case passed in the baseline and fails now.", "warning"),
)


def flips_sarif(reports: Sequence[Report]) -> str:
    """The broken cells as SARIF, each at the file of its prompt."""
    results = [
        SarifResult(rule.id, rule.level, _message(flip), prompt_file(report, flip))
        for report, flip in _broken(reports)
        for rule in (RULES[0] if flip.critical else RULES[1],)
    ]
    return to_sarif(RULES, results)


def flips_code_quality(reports: Sequence[Report]) -> str:
    """The broken cells as a GitLab code-quality report, a JSON array."""
    issues = [
        {
            "description": safe(_message(flip)),
            "check_name": RULES[0 if flip.critical else 1].id,
            "fingerprint": content_hash("\0".join((report.suite, flip.case_id, flip.prompt, flip.target, str(flip.repeat)))),
            "severity": "critical" if flip.critical else "minor",
            "location": {"path": safe(prompt_file(report, flip)), "lines": {"begin": 1}},
        }
        for report, flip in _broken(reports)
    ]
    return json.dumps(issues, indent=1, ensure_ascii=True) + "\n"


def _broken(reports: Sequence[Report]) -> Iterator[tuple[Report, Flip]]:
    return ((report, flip) for report in reports for flip in report.flips if flip.broken)


def _message(flip: Flip) -> str:
    reason = f": {one_line(flip.reason, 200)}" if flip.reason else ""
    return f"{flip.case_id} passed in the baseline and fails now ({', '.join(flip.evaluators)} on {flip.target}){reason}"


def prompt_file(report: Report, flip: Flip) -> str:
    """The file whose change broke a cell: that of its prompt, or the suite of recorded answers."""
    name, _, which = flip.prompt.partition("@")
    if not name:
        return report.suite
    return f"prompts/{name}/versions/{which}.j2" if which[:1].isdigit() else f"prompts/{name}/prompt.j2"
