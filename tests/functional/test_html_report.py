"""The page of a run shows every answer with its passages, and runs nothing of what strangers wrote."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command_line import edit, llmops, write
from openai_server import OpenAiServer

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m \u202e{{ 7*7 }}</div></details> javascript:alert(3)"
PROMPT = "---\nvariables:\n  question: {type: string}\n---\nuser:\n{{ contexts[0].text }} {{ question }}\n"
SUITE = """dataset: datasets/s.jsonl
prompts: [ask]
targets: [gpt]
evaluators:
  - contains: {any: expected}
  - hallucination: {max: 0.5}
"""
SHOWN = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "section",
    "header",
    "h1",
    "h2",
    "p",
    "bdi",
    "span",
    "code",
    "div",
    "table",
}
SHOWN |= {
    "ul",
    "li",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "svg",
    "rect",
    "line",
    "br",
    "details",
    "summary",
    "b",
    "input",
    "label",
    "mark",
    "ins",
    "del",
}


class Page(HTMLParser):
    """The tags of a page, its attributes and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.marks: list[str] = []
        self.said: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "br", "input", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)
        if self.open and self.open[-1] == "mark":
            self.marks.append(data)

    @property
    def text(self) -> str:
        return "".join(self.said)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"id": "fine", "vars": {"question": "When?"}, "expected": ["9:15"], "contexts": ["The boat leaves at 9:15."]},
        {"id": HOSTILE, "vars": {"question": HOSTILE}, "expected": ["x"], "contexts": [HOSTILE], "tags": [HOSTILE]},
    ]
    return write(
        tmp_path,
        {
            "prompts/ask/prompt.j2": PROMPT,
            "evals/s.yaml": SUITE,
            "datasets/s.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
        },
    )


def test_a_page_of_hostile_texts_is_only_text(folder: Path) -> None:
    with OpenAiServer().running() as server:
        server.reply = lambda messages: "The boat leaves at 9:15." if "When?" in messages[-1]["content"] else HOSTILE
        model = f"models:\n  gpt: {{id: openai/x, api_base: {server.base}, max_retries: 0}}\n"
        (folder / "llmops.yaml").write_text(model)
        assert llmops(folder, "eval", "--html", "out/report.html").returncode == 0
    raw = (folder / "out/report.html").read_text(encoding="utf-8")
    page = Page(raw)
    assert page.open == []
    assert page.tags <= SHOWN
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes & {
        "src",
        "href",
        "action",
        "style",
    }
    assert "default-src 'none'" in raw
    assert "\x1b" not in raw
    assert "\u202e" not in raw
    assert page.text.count("<script>alert(1)</script>") >= 4  # the case, its passage, its prompt, its answer
    assert "{{ 7*7 }}" in page.text
    for told in ("evals/s.yaml", "When?", "The boat leaves at 9:15.", "2 cells: 2 scored"):
        assert told in page.text


def test_marks_and_broken_cases_are_shown_and_a_stored_run_gives_the_same_page(folder: Path) -> None:
    with OpenAiServer().running() as server:
        server.reply = lambda messages: "The boat leaves at 9:15."
        model = f"models:\n  gpt: {{id: openai/x, api_base: {server.base}, max_retries: 0}}\n"
        (folder / "llmops.yaml").write_text(model)
        llmops(folder, "eval", "-q")
        server.reply = lambda messages: "The boat leaves at 11:45."
        edit(folder / "prompts/ask/prompt.j2", "user:\n", "user:\nAnswer:\n")
        done = llmops(folder, "eval", "--baseline", "@last", "-q", "-o", "a.html")
    assert done.returncode in (0, 1, 4), done.stderr
    page = Page((folder / "a.html").read_text(encoding="utf-8"))
    assert {"ins", "del", "mark"} <= page.tags
    assert any("11" in text for text in page.marks)
    assert llmops(folder, "runs", "export", "@last", "-o", "b.html").returncode == 0
    assert (folder / "b.html").read_bytes() == (folder / "a.html").read_bytes()


def test_a_page_that_cannot_be_written_is_told(folder: Path) -> None:
    (folder / "llmops.yaml").write_text("models:\n  gpt: {id: openai/x, api_base: 'http://127.0.0.1:9'}\n")
    (folder / "file").write_text("")
    done = llmops(folder, "runs", "export", "@last", "-o", "file/x.html")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
