"""What differs between two recorded configurations, in words."""

from typing import Any

import pytest

from llmops.domain.keys import canonical
from llmops.workflows.differences import changes, recomputed

JUDGE = canonical([1, "openai/a|", {}])
OTHER_JUDGE = canonical([1, "openai/b|", {}])


def rubric(*, version: int = 1, levels: int = 2, prompt: str = "p1", judge: str = JUDGE) -> str:
    return canonical(["rubric", version, {"levels": levels}, prompt, judge])


def snapshot(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 -- parts of a snapshot
    base = {
        "suite": "evals/s.yaml",
        "dataset": {"path": "d.jsonl", "hash": "h", "cases": 3},
        "selection": {"variables": {}},
        "prompts": {"answer": "aaa"},
        "targets": {"m": {"model": "openai/a|", "params": {"temperature": 0}, "price": None}},
        "index": "i1",
        "retrieval": {"name": "manual", "documents": "d1", "embedder": "e", "chunker": {"max_tokens": 240}},
        "evaluators": {"rubric": {"identity": rubric(), "common": {"min": 1}}},
        "code": {"generate": 1},
        "repeat": 1,
        "price_table": "LiteLLM 1.0.0",
        "tool": "0.1.0",
    }
    return base | changed


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"prompts": {"answer": "bbb"}}, ["prompt `answer` aaa → bbb"]),
        ({"targets": {"m": {"route": "r1"}}}, ["route `m`: its policy, models or checks"]),
        ({"prompts": {"answer@1.0.0": "bbb"}}, ["prompt `answer` aaa → bbb"]),
        ({"prompts": {"answer": "aaa", "terse": "ccc"}}, ["prompt `terse` is new"]),
        ({"prompts": {"terse": "ccc"}}, ["prompt `terse` is new", "prompt `answer` is gone"]),
        (
            {"targets": {"m": {"model": "openai/b|", "params": {"temperature": 1}, "price": None}}},
            ["model `m`: openai/a → openai/b, temperature 0 → 1"],
        ),
        ({"dataset": {"path": "d.jsonl", "hash": "x", "cases": 4}}, ["dataset d.jsonl: 3 → 4 cases, content changed"]),
        (
            {
                "index": "i2",
                "retrieval": {"name": "manual", "documents": "d2", "embedder": "e", "chunker": {"max_tokens": 200}},
            },
            ["index `manual`: documents, max_tokens 240 → 200"],
        ),
        ({"index": "i2"}, ["index `manual`: the code that builds or searches it"]),
        ({"index": "i2", "retrieval": None}, ["index changed"]),
        ({"evaluators": {"rubric": {"identity": rubric(), "common": {"min": 2}}}}, ["evaluator `rubric`: `min`"]),
        ({"code": {"generate": 2}, "tool": "0.2.0"}, ["llmops 0.1.0 → 0.2.0: the code of generate"]),
        ({"repeat": 3}, ["repeat: 1 → 3"]),
        ({"price_table": "LiteLLM 1.1.0"}, ["price table: LiteLLM 1.0.0 → LiteLLM 1.1.0"]),
        ({"price_table": None}, []),
        ({"selection": {"variables": {"a": "b"}}}, ["variables set by --var"]),
    ],
)
def test_a_change_is_named(changed: dict[str, Any], told: list[str]) -> None:
    assert list(changes(snapshot(), snapshot(**changed))) == told


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        (rubric(), ""),
        (rubric(prompt="p2"), "judge prompt"),
        (rubric(judge=OTHER_JUDGE), "judge model"),
        (rubric(levels=3, prompt="p2"), "`levels`"),
        (rubric(version=2), "its code"),
        ("not JSON", "what it computes"),
    ],
)
def test_an_evaluator_that_measures_again_says_why(identity: str, told: str) -> None:
    after = snapshot(evaluators={"rubric": {"identity": identity, "common": {"min": 2}}})
    assert recomputed(snapshot(), after, "rubric") == (f"evaluator `rubric`: {told}" if told else "")


def test_a_run_of_an_older_llmops_is_read_as_far_as_it_goes() -> None:
    old = {"suite": "evals/s.yaml", "prompts": {"answer": "aaa"}, "index": "i0"}
    told = list(changes(old, snapshot()))
    assert "index changed" in told
    assert not any("code" in line for line in told)
