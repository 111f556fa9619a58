"""Cases that bring texts and images along, from the dataset to the model and into the reports."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import edit, llmops, report, write
from openai_server import OpenAiServer

PNG = b"\x89PNG\r\n\x1a\n"
PROMPT = """---
variables:
  receipt: {type: image}
  terms: {type: string}
---
system:
Read receipts.

user:
Receipt:
{{ receipt }}
Terms: {{ terms }}
"""


@pytest.fixture
def folder(tmp_path: Path, server: OpenAiServer) -> Path:
    rows = [
        {"id": n, "files": {"receipt": f"receipts/{n}.png", "terms": "terms.md"}, "expected": ["final"]} for n in ("a", "b")
    ]
    write(
        tmp_path,
        {
            "llmops.yaml": f"models:\n  m: {{id: openai/m, api_base: {server.base}}}\n",
            "prompts/read/prompt.j2": PROMPT,
            "evals/read.yaml": "dataset: datasets/r.jsonl\nprompts: [read]\ntargets: [m]\n"
            "evaluators:\n  - contains: {any: expected}\n",
            "datasets/r.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows),
            "datasets/terms.md": "All sales are final.\n",
            "datasets/receipts/a.png": "",
        },
    )
    for name in ("a", "b"):
        (tmp_path / f"datasets/receipts/{name}.png").write_bytes(PNG + name.encode())
    return tmp_path


@pytest.fixture
def asked(server: OpenAiServer) -> list[list[dict[str, Any]]]:
    """The messages of each request."""
    server.reply = lambda _: "Sales are final."
    return server.asked


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_text_and_image_arrive_as_parts_of_one_message(folder: Path, asked: list[Any], transport: str) -> None:
    edit(folder / "llmops.yaml", "id:", f"transport: {transport}, id:")
    assert report(llmops(folder, "eval", "--filter", "id=a", "--json"))["counts"]["scored"] == 1
    assert asked == [
        [
            {"role": "system", "content": "Read receipts."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Receipt:"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgph"}},
                    {"type": "text", "text": "Terms: All sales are final."},
                ],
            },
        ]
    ]


@pytest.mark.parametrize("transport", ["direct", "litellm"])
def test_tokens_that_the_server_does_not_tell_are_counted_all_the_same(
    folder: Path, server: OpenAiServer, transport: str
) -> None:
    server.always = "no usage"
    edit(folder / "llmops.yaml", "id:", f"transport: {transport}, id:")
    edit(folder / "evals/read.yaml", "any: expected}", "any: expected}\n  - tokens")
    done = llmops(folder, "eval", "--filter", "id=a")
    assert "1 cell: 1 scored, 0 failed" in done.stdout
    assert re.search(r"tokens +p50 [1-9]", done.stdout)


def test_what_a_file_holds_is_asked_about_once(folder: Path, server: OpenAiServer) -> None:
    server.reply = lambda _: "Sales are final."

    def calls() -> int:
        before = server.requests
        assert llmops(folder, "eval").returncode == 0
        return server.requests - before

    receipts = folder / "datasets/receipts"
    assert calls() == 2
    assert calls() == 0
    (receipts / "a.png").write_bytes(PNG + b"another")
    assert calls() == 1
    (receipts / "b.png").rename(receipts / "c.png")
    edit(folder / "datasets/r.jsonl", "receipts/b.png", "receipts/c.png")
    assert calls() == 0
    (folder / "datasets/terms.md").write_text("Sales are final.")
    assert calls() == 2


def test_reports_name_an_image_and_hold_no_byte_of_it(folder: Path, asked: list[Any]) -> None:
    assert llmops(folder, "eval", "--html", "page.html").returncode == 0
    assert len(asked) == 2
    shown = llmops(folder, "runs", "show", "--outputs").stdout
    page = (folder / "page.html").read_text()
    for text in (
        shown,
        page,
        llmops(folder, "prompt", "render", "read", "--case", "a", "--dataset", "datasets/r.jsonl").stdout,
    ):
        assert "[image datasets/receipts/a.png]" in text
        assert "iVBORw0KGgp" not in text
        assert str(folder) not in text
    (folder / "datasets/terms.md").write_text("Sales are never final.")
    assert "not shown, the dataset datasets/r.jsonl has changed since" in llmops(folder, "runs", "show", "--outputs").stdout


def test_an_image_where_a_text_is_wanted_is_told_by_its_name(folder: Path, asked: list[Any]) -> None:
    row = {"id": "a", "files": {"receipt": "receipts/a.png"}, "vars": {"terms": ["final"]}}
    (folder / "datasets/r.jsonl").write_text(json.dumps(row))
    edit(folder / "prompts/read/prompt.j2", "terms: {type: string}", "terms: {type: array}")
    edit(folder / "evals/read.yaml", "any: expected", "any: receipt")
    assert llmops(folder, "eval", "--html", "page.html").returncode == 0
    assert len(asked) == 1
    shown, page = llmops(folder, "runs", "show", "--outputs").stdout, (folder / "page.html").read_text()
    assert "a  ['final'] datasets/receipts/a.png\n" in shown  # in place of a question
    assert "`receipt` is the image datasets/receipts/a.png" in page
    assert str(folder) not in shown + page


def test_a_prompt_is_tried_with_an_image_of_the_command_line(folder: Path) -> None:
    values = ("--var", "terms=none", "--var", "receipt=datasets/receipts/a.png")
    assert "[image datasets/receipts/a.png]" in llmops(folder, "prompt", "render", "read", *values).stdout
    [_, user] = json.loads(llmops(folder, "prompt", "export", "read", "--format", "openai", *values).stdout)
    assert user["content"][1]["image_url"]["url"] == "data:image/png;base64,iVBORw0KGgph"
    done = llmops(folder, "prompt", "render", "read", "--var", "terms=none", "--var", "receipt=datasets/terms.md")
    assert done.returncode == 2
    assert "expected image" in done.stderr


CRITERIA = """
  - criteria: {judge: m, items: [Reads the receipt.]}
"""


def test_a_judge_sees_the_images_of_the_case(folder: Path, server: OpenAiServer) -> None:
    seen: list[Any] = []

    def reply(messages: list[dict[str, Any]]) -> str:
        if "item 1" not in str(messages):
            return "Sales are final."
        seen.append(messages[-1]["content"])
        return '{"verdicts": [{"item": 1, "reason": "it does", "verdict": "yes"}]}'

    server.reply = reply
    with (folder / "evals/read.yaml").open("a") as file:
        file.write(CRITERIA)
    assert "2 of 2" in llmops(folder, "eval").stdout
    urls = [part["image_url"]["url"] for parts in seen for part in parts if part["type"] == "image_url"]
    assert sorted(urls) == ["data:image/png;base64,iVBORw0KGgph", "data:image/png;base64,iVBORw0KGgpi"]
    (folder / "datasets/receipts/a.png").write_bytes(PNG + b"c")
    assert llmops(folder, "eval").returncode == 0
    assert len(seen) == 3


def test_columns_of_a_table_name_files(folder: Path, asked: list[Any]) -> None:
    (folder / "datasets/r.csv").write_text("files.receipt,files.terms,expected\nreceipts/a.png,terms.md,final\n")
    edit(folder / "evals/read.yaml", "r.jsonl", "r.csv")
    assert llmops(folder, "eval").returncode == 0
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"receipt": "receipts/z.png"}, "datasets/receipts/z.png: no such file"),
        ({"receipt": "../llmops.yaml"}, "names '../llmops.yaml'; a file in datasets/ was expected"),
    ],
)
def test_a_wrong_file_is_told_before_anything_is_asked(folder: Path, asked: list[Any], files: Any, told: str) -> None:  # noqa: ANN401
    (folder / "datasets/r.jsonl").write_text(json.dumps({"id": "a", "vars": {"terms": "none"}, "files": files}))
    for command in ("eval", "validate"):
        done = llmops(folder, command)
        assert done.returncode == 2
        assert f"datasets/r.jsonl:1: `files`: {told}" in done.stderr
    assert asked == []


def test_a_variable_stands_in_one_place(folder: Path) -> None:
    (folder / "datasets/r.jsonl").write_text('{"id": "a", "vars": {"terms": "x"}, "files": {"terms": "terms.md"}}')
    done = llmops(folder, "eval")
    assert done.returncode == 2
    assert "datasets/r.jsonl:1: `files`: 'terms' stands in `vars` too." in done.stderr


def test_the_embedded_readers_say_that_they_see_no_image(folder: Path) -> None:
    (folder / "llmops.yaml").write_text("models:\n  m: {id: embedded/reader-small}\n")
    done = llmops(folder, "eval")
    assert done.returncode == 3
    assert "embedded/reader-small reads text alone and cannot see the image datasets/receipts/a.png" in done.stdout
