"""A newcomer's first ten minutes: the guide from an empty folder to a report on one's own documents, typed to the letter."""

import re
import subprocess
import sys
from pathlib import Path

from command_line import COMMAND, environment
from openai_server import OpenAiServer

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "own-docs-and-endpoint.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEAVE = (
    "# Leave\n\n## Annual leave\n\nEveryone has 28 days of leave a year.\n\n## Sick leave\n\nA note is needed on day four.\n"
)


def _shell(folder: Path, line: str) -> str:
    """Run one line of the guide; `llmops` is the checkout's."""
    program = f"llmops() {{ {sys.executable} -c '{COMMAND[2]}' \"$@\"; }}\n"
    done = subprocess.run(
        ["bash", "-ec", program + line], cwd=folder, env=environment(), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def _walk(folder: Path, base: str) -> dict[str, str]:
    """Follow the guide: write its files, type its commands. Gives what each command printed."""
    printed: dict[str, str] = {}
    for language, body in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if language == "json":
            (folder / "datasets" / "questions.jsonl").write_text(body, encoding="utf-8")
        elif language == "yaml":
            path = folder / body.splitlines()[0].removeprefix("# ")
            path.write_text(body.replace("https://llm.example.test/v1", base), encoding="utf-8")
            handbook = folder / "handbook"
            handbook.mkdir(exist_ok=True)
            (handbook / "leave.md").write_text(LEAVE, encoding="utf-8")
        else:
            for line in body.splitlines():
                if " cd " in line:
                    _shell(folder, line)
                    folder /= "assistant"
                else:
                    printed[line] = _shell(folder, line)
    return printed


def test_the_guide_from_an_empty_folder_to_a_report(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        printed = _walk(tmp_path, server.base)
        asked = server.requests
    assert "handbook/leave.md" in printed['llmops rag query "How many days of leave do I have?"']
    assert "OPENAI_API_KEY is set" in printed["llmops models"]
    report = printed["llmops eval evals/handbook.yaml"]
    for name in ("contains", "refusal", "retrieval", "hallucination", "latency", "cost", "mine"):
        assert name in report
    assert asked == len((tmp_path / "assistant/datasets/questions.jsonl").read_text().splitlines())
    assert "2 of 2, 2 reused" in report
