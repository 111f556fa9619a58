import json
from pathlib import Path

import pytest
from calling import FILES, call, project


def test_prices_transports_and_keys_are_shown_but_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-a-very-secret-value")
    rows = {row["name"]: row for row in json.loads(call(project(tmp_path), "models", "--json").out)}
    assert rows["paid"]["price"]["output_per_million"] == 2
    assert rows["paid"]["price"]["source"] == "llmops.yaml"
    assert rows["paid"]["key"] == "SOME_KEY is set"
    assert rows["paid"]["concurrency"] == 3
    assert rows["small"] == {**rows["small"], "key": "not needed", "transport": "embedded"}
    assert (rows["small"]["price"]["input_per_million"], rows["small"]["price"]["source"]) == (0, "runs in this process")
    shown = call(tmp_path, "models").out
    assert "1 in, 2 out" in shown
    assert "very-secret" not in shown + json.dumps(rows)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_word_is_broken(tmp_path: Path, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = call(project(tmp_path), "models").out.splitlines()
    assert max(map(len, lines)) <= width
    words = {word for line in lines for word in line.split()}
    assert {"embedded/reader-small", "openai/some-model", "transport", "million", "(llmops.yaml)"} <= words


@pytest.mark.parametrize("columns", ["", "0", "wide"])
def test_a_pipe_has_a_hundred_columns_unless_it_is_told(tmp_path: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = call(project(tmp_path), "models").out.splitlines()
    assert 80 < max(map(len, lines)) <= 100


def test_a_key_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    assert "SOME_KEY is not set" in call(project(tmp_path), "models").out
    monkeypatch.setenv("SOME_KEY", "   ")
    assert "SOME_KEY is not set" in call(tmp_path, "models").out


def test_a_server_of_the_users_own_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    models = "models:\n  mine: {id: openai/m, api_base: http://127.0.0.1:1/v1}\n  gpt: {id: openai/gpt-4o-mini}\n"
    (tmp_path / "llmops.yaml").write_text(models)
    keys = [row["key"] for row in json.loads(call(tmp_path, "models", "--json").out)]
    assert keys == ["not needed, OPENAI_API_KEY is not set", "OPENAI_API_KEY is not set"]


def test_a_listed_price_names_its_source_and_a_price_per_hour_its_unit(tmp_path: Path) -> None:
    listed = (
        "  listed: {id: openai/gpt-4o-mini}\n  own: {id: openai/x, api_base: 'http://127.0.0.1:9', price: {usd_per_hour: 3}}\n"
    )
    project(tmp_path)
    (tmp_path / "llmops.yaml").write_text(FILES["llmops.yaml"] + listed)
    rows = {row["name"]: row for row in json.loads(call(tmp_path, "models", "--json").out)}
    assert rows["listed"]["price"]["source"] == "LiteLLM's table"
    assert rows["own"]["price"]["usd_per_hour"] == 3
    assert "per hour" in call(tmp_path, "models").out
