"""How a run that has not come to its end is continued."""

import shlex

from llmops.domain.runs import Run


def continuing(run: Run) -> str:
    """The next step, with the options that the run was begun with: others would begin another run."""
    command = shlex.join(["llmops", "eval", run.suite, *run.snapshot.get("arguments", ())])
    known = "arguments" in run.snapshot
    return f"Continue it: {command}" if known else f"Continue it, with the options that it was begun with: {command}"
