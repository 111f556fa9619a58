"""A newcomer's first ten minutes: the guide from an empty folder to a report on one's own documents, typed to the letter."""

import json
import re
from pathlib import Path

from command_line import llmops
from guides import blocks, typed
from openai_server import OpenAiServer

README = Path(__file__).parents[2] / "README.md"
LEAVE = (
    "# Leave\n\n## Annual leave\n\nEveryone has 28 days of leave a year.\n\n## Sick leave\n\nA note is needed on day four.\n"
)


def _walk(folder: Path, base: str) -> dict[str, str]:
    """Follow the guide: write its files, type its commands. Gives what each command printed."""
    printed: dict[str, str] = {}
    for language, body in blocks("own-docs-and-endpoint.md"):
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
                    typed(folder, line)
                    folder /= "assistant"
                else:
                    printed[line] = typed(folder, line)
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


def _alike(report: str) -> list[str]:
    """The words of each line of a report, without the id of its run and the times that it took."""
    told = re.sub(r"\d[\d.]* (?:µs|ms|s)\b", "TIME", re.sub(r"run \S+", "run ID", report))
    return [" ".join(line.split()) for line in told.strip().splitlines()]


def test_the_readme_shows_what_a_new_project_prints(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```text\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert llmops(tmp_path, "init").returncode == 0
    assert _alike(llmops(tmp_path, "eval").stdout) == _alike(shown)


def test_a_new_project_measures_its_index(tmp_path: Path) -> None:
    assert llmops(tmp_path, "init").returncode == 0
    done = llmops(tmp_path, "rag", "eval", "--json")
    (found,) = json.loads(done.stdout)["configurations"]
    assert (found["queries"], found["unknown"], found["metrics"]["recall@5"]) == (6, [], 1.0)
