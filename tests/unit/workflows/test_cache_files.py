"""Nodes go to a file and come back; a hostile file brings nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.adapters.sql.store import SqlStore, open_store
from llmops.domain.errors import InvalidFiles
from llmops.domain.models import Completion, RoutedCall, Usage
from llmops.domain.retrieval import Hit
from llmops.domain.runs import Node
from llmops.domain.scores import Failure, JudgeUse, Score, Span, Unmeasured
from llmops.domain.serial import outcome_to_json, plain
from llmops.domain.sweeps import TrialFigures
from llmops.workflows.cache import exported, fault, import_nodes, verify

ANSWER = Completion("\ud800 \x1b[31m", Usage(1, 2), 0.5, route=(RoutedCall("small", "cheap", 0.1, None),))
SCORE = Score(0.5, "why", (Span(0, 1, "hate"),), {"met": 1.0}, JudgeUse(1, 2, 3, None))
VALUES = [
    ("retrieve", plain([Hit("text", "docs/a.md", scores={"bm25": 1.0})])),
    ("generate", plain(ANSWER)),
    ("judge", plain([ANSWER, ANSWER])),
    ("sweep", plain(TrialFigures({"q1": 0.5}, {"q1": 120}, [0.01], 40, 4096, None))),
    *(("evaluate", outcome_to_json(each)) for each in (SCORE, Failure("broken"), Unmeasured("nothing"))),
]
NODES = [Node(f"{number:032x}", kind, value, "r") for number, (kind, value) in enumerate(VALUES)]  # type: ignore[arg-type]
KEY = "a" * 32
HEAD = '{"llmops_cache": 1}\n'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store("sqlite:///store.db", tmp_path)
    yield opened
    opened.close()


def test_what_is_exported_is_imported_once(store: SqlStore, tmp_path: Path) -> None:
    store.commit(NODES, "r", [])
    path = tmp_path / "cache.jsonl"
    path.write_text("".join(exported(store.cache)))
    other = open_store("sqlite:///other.db", tmp_path)
    done = import_nodes(other.cache, path, tmp_path)
    assert (done.new, done.known) == (len(NODES), 0)
    assert {key: node.value for key, node in other.nodes([n.key for n in NODES]).items()} == {n.key: n.value for n in NODES}
    assert {node.run for node in other.nodes([n.key for n in NODES]).values()} == {"imported"}
    assert import_nodes(other.cache, path, tmp_path).known == len(NODES)
    assert verify(other.cache).broken == ()
    other.close()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not begin with"),
        ('{"key": "x"}\n', "does not begin with"),
        (HEAD + "[1, 2]\n", "is not an object with key, kind, value"),
        (HEAD + '{"key": "x", "kind": "judge", "value": [], "run": "r"}\n', "is not an object with"),
        (HEAD + '{"key": "x", "kind": "judge", "value": []}\n', "hexadecimal"),
        (HEAD + f'{{"key": "{KEY}\\n", "kind": "judge", "value": []}}\n', "hexadecimal"),
        (HEAD + f'{{"key": "{KEY}", "kind": "chunk", "value": []}}\n', "`kind` is none of"),
        (HEAD + f'{{"key": "{KEY}", "kind": ["judge"], "value": []}}\n', "`kind` is none of"),
        (HEAD + f'{{"key": "{KEY}", "kind": "generate", "value": {{}}}}\n', "`value` is no generate"),
        (HEAD + f'{{"key": "{KEY}", "kind": "retrieve", "value": {{}}}}\n', "a list was expected"),
        (HEAD + f'{{"key": "{KEY}", "kind": "judge", "value": [NaN]}}\n', "JSON has not, such as NaN"),
        (HEAD + "{" * 100_000 + "\n", "not valid JSON"),
        (HEAD + "[" * 100_000 + "\n", "nested too deeply"),
        (HEAD + "\x00\n", "NUL"),
    ],
)
def test_a_hostile_file_is_refused_whole_with_its_line(store: SqlStore, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "cache.jsonl"
    good = json.dumps({"key": "b" * 32, "kind": "judge", "value": []}) + "\n"
    path.write_text(text if not text.startswith(HEAD) else HEAD + good + text.removeprefix(HEAD))
    with pytest.raises(InvalidFiles) as refused:
        import_nodes(store.cache, path, tmp_path)
    assert told in str(refused.value)
    assert "cache.jsonl:" in str(refused.value)
    assert list(store.cache.nodes()) == []


def changed(kind: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 -- any JSON value
    value = next(value for known, value in VALUES if known == kind)
    first = value[0] if isinstance(value, list) else value
    made = {**first, **fields}
    return {"key": KEY, "kind": kind, "value": [made] if isinstance(value, list) else made}


@pytest.mark.parametrize(
    "node",
    [
        changed("generate", text=None),
        changed("generate", text=7),
        changed("generate", latency_s="soon"),
        changed("generate", latency_s="0.5"),
        changed("generate", attempts=True),
        changed("generate", usage={"input_tokens": "1", "output_tokens": 1}),
        changed("retrieve", scores={"bm25": "1.0"}),
        changed("generate", surprise=1),
        changed("generate", usage={"input_tokens": "many", "output_tokens": 1}),
        changed("generate", route=[{"model": "m"}]),
        changed("retrieve", text=["x"]),
        changed("judge", usage=[]),
        changed("evaluate", status="perfect"),
        changed("evaluate", value="1.0 or so"),
        changed("evaluate", value="1.0"),
        changed("evaluate", value=float("nan")),
        changed("evaluate", spans=[{"start": "a", "end": 1, "kind": "x"}]),
    ],
)
def test_a_value_of_another_shape_is_no_node(node: dict[str, Any]) -> None:
    assert "`value` is no" in fault(node)


def test_the_field_at_fault_is_named() -> None:
    told = fault(changed("generate", usage={"input_tokens": "1", "output_tokens": 1}))
    assert told == "`value` is no generate: `usage.input_tokens`: Input should be a valid integer"


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("generate", {"latency_s": -0.5}, "`latency_s` is -0.5, expected 0 or more"),
        ("judge", {"ttft_s": -1.0}, "`ttft_s` is -1.0"),
        ("generate", {"usage": {"input_tokens": -7, "output_tokens": 1}}, "`input_tokens` is -7"),
        ("generate", {"route": [plain(RoutedCall("small", "cheap", 0.1, -2.0))]}, "`cost_usd` is -2.0"),
    ],
)
def test_an_answer_took_and_cost_no_less_than_nothing(kind: str, fields: dict[str, Any], told: str) -> None:
    assert told in fault(changed(kind, **fields))
    assert fault(changed(kind, logprob=-1.5)) == ""


def test_every_kind_of_value_is_a_node() -> None:
    assert [fault({"key": node.key, "kind": node.kind, "value": node.value}) for node in NODES] == [""] * len(NODES)
