"""What the linter says on a terminal."""

from io import StringIO

from rich.console import Console

from llmops.prompting.lint import Finding
from llmops.reporting.prompts import print_findings


def test_one_of_a_kind_is_told_in_the_singular() -> None:
    out = StringIO()
    finding = Finding("secret", "error", "A key stands here.", "prompts/a/prompt.j2", 3, 7, "Take it out.")
    print_findings(Console(file=out, width=100, no_color=True), [finding], 1)
    assert "1 prompt: 1 error, 0 warnings. Each rule" in out.getvalue()
