"""Reports of runs as documents."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from llmops.cli.session import Session
from llmops.domain.reports import Report

if TYPE_CHECKING:
    from llmops.reporting.documents import Format


def document(session: Session, reports: Sequence[Report], form: "Format") -> Iterator[str]:
    """The reports of one command in one document, piece by piece; results, passages and prompts come from the store."""
    from llmops.prompting.git import folder_in_repository
    from llmops.reporting.documents import render

    wiring = session.wiring
    if form == "html":
        from llmops.reporting.page import to_html
        from llmops.workflows.outputs import outputs_of

        runs = [wiring.store.run(report.run_id) for report in reports]
        return to_html([(report, partial(outputs_of, run, wiring)) for report, run in zip(reports, runs, strict=True)])
    folder = folder_in_repository(wiring.root) if form in ("sarif", "code quality") else ""
    return render([(report, partial(wiring.store.results, report.run_id)) for report in reports], form, folder)
