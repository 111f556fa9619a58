"""Options take no number that is none."""

from pathlib import Path

import pytest
from calling import call, project


@pytest.mark.parametrize(
    "command",
    [
        "cache prune --unused-days 1e30",
        "cache prune --unused-days nan",
        "cache prune --max-mb inf",
        "route report --gpu-hour inf",
        "eval --budget nan",
        "eval --max-minutes inf",
        "compare --margin nan",
        "score log.jsonl --threshold nan",
    ],
)
def test_infinities_and_nan_are_wrong_usage(tmp_path: Path, command: str) -> None:
    done = call(project(tmp_path), *command.split())
    assert done.code == 2
    assert "Invalid value for '--" in done.error
