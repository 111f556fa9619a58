"""A case that fails for hallucination shows the sentence, a mark under what is unsupported, and the nearest evidence."""

import json
from pathlib import Path

import pytest
from command_line import llmops, write

ROW = {
    "id": "c1",
    "vars": {},
    "output": "The boat leaves the pier at 11:45 from Lisbon.",
    "contexts": ["The boat leaves the pier at 9:15. Tickets cost 12 euros."],
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    suite = "dataset: datasets/s.jsonl\nevaluators:\n  - hallucination: {backend: embedded, max: 0.01}\n"
    return write(
        tmp_path,
        {
            "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n",
            "evals/s.yaml": suite,
            "datasets/s.jsonl": f"{json.dumps(ROW)}\n",
        },
    )


def test_a_terminal_shows_a_mark_under_the_span_and_the_evidence(log: Path) -> None:
    lines = llmops(log, "eval").stdout.splitlines()
    mark = next(number for number, line in enumerate(lines) if set(line.strip("│ ")) == {"^"})
    sentence, under = lines[mark - 1], lines[mark]
    assert sentence.strip("│ ") == ROW["output"]
    assert sentence[under.index("^") : under.rindex("^") + 1] in str(ROW["output"])
    assert "nearest (" in lines[mark + 1]
    assert "The boat leaves the pier at 9:15." in lines[mark + 1]


def test_markdown_shows_the_span_in_bold_and_the_evidence(log: Path) -> None:
    llmops(log, "eval", "--markdown", "report.md")
    text = (log / "report.md").read_text(encoding="utf-8")
    marked = next(line for line in text.splitlines() if line.startswith("    - "))
    assert marked.partition(": ")[2].replace("**", "").replace("\\", "") == ROW["output"]
    assert marked.count("**") == 2
    assert "      - nearest" in text
    assert "The boat leaves the pier at 9:15." in text
