"""Types the commands of a guide to the letter."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from command_line import COMMAND, TIMEOUT_S, environment, llmops

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_FOR_A_SHELL = re.compile(r"[|&;<>$`*?~\\]|^\w+=")
"""What more than a program and its arguments is written with."""


def blocks(guide: str) -> Iterator[tuple[str, str]]:
    """Language and text of each fenced block, in order."""
    yield from _BLOCK.findall((GUIDES / guide).read_text(encoding="utf-8"))


def typed(folder: Path, line: str) -> str:
    """What a line of a guide prints; `llmops` is the checkout's. It has to succeed."""
    words = shlex.split(line, comments=True)
    if words[:1] == ["llmops"] and not _FOR_A_SHELL.search(line):
        done = llmops(folder, *words[1:])
    else:
        program = f"llmops() {{ {sys.executable} -c '{COMMAND[2]}' \"$@\"; }}\n"
        done = subprocess.run(
            ["bash", "-ec", program + line],
            cwd=folder, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout
