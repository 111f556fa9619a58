"""`llmops cache`: what is kept is bounded, carried to another machine, and checked."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from command_line import llmops, project, report
from openai_server import OpenAiServer


def evaluated(folder: Path) -> dict[str, Any]:
    return report(llmops(folder, "eval", "--json", "--no-gate"))


def test_what_one_job_paid_for_the_next_one_finds(server: OpenAiServer, tmp_path: Path) -> None:
    first, second = (project(tmp_path / name, server.base, 5) for name in ("first", "second"))
    evaluated(first)
    assert llmops(first, "cache", "export", "../cache.jsonl").returncode == 0
    done = llmops(second, "cache", "import", "../cache.jsonl")
    assert "5 nodes imported, 0 known already" in done.stdout
    again = evaluated(second)["counts"]
    assert (again["model_calls"], again["reused"], server.requests) == (0, 5, 5)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".cache")]


def test_a_bound_is_kept_by_each_run(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 8)
    server.reply = lambda messages: messages[-1]["content"] + "." * 200_000
    settings = tmp_path / "llmops.yaml"
    settings.write_text(f"{settings.read_text()}cache: {{max_mb: 1}}\n")
    done = llmops(tmp_path, "eval", "--no-gate")
    assert "nodes removed, the longest unused" in done.stderr
    kept = json.loads(llmops(tmp_path, "cache", "list", "--json").stdout)
    assert sum(each["bytes"] for each in kept["kinds"]) <= kept["max_bytes"] == 2**20
    assert 0 < evaluated(tmp_path)["counts"]["model_calls"] < 8


def test_the_cache_is_pruned_and_cleared(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 3)
    assert "Nothing is kept yet" in llmops(tmp_path, "cache", "list").stdout
    evaluated(tmp_path)
    refused = llmops(tmp_path, "cache", "prune")
    assert (refused.returncode, "--max-mb" in refused.stderr) == (2, True)
    assert "0 nodes removed" in llmops(tmp_path, "cache", "prune", "--unused-days", "1", "--max-mb", "10").stdout
    assert "0 nodes removed" in llmops(tmp_path, "cache", "clear", "--kind", "judge").stdout
    assert "Did you mean `generate`?" in llmops(tmp_path, "cache", "clear", "--kind", "generated").stderr
    assert "3 nodes removed" in llmops(tmp_path, "cache", "clear").stdout
    assert evaluated(tmp_path)["counts"]["model_calls"] == 3
    assert llmops(tmp_path, "runs", "show", "@last~1").returncode == 0


def test_a_broken_node_is_found_removed_and_computed_again(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 3)
    evaluated(tmp_path)
    assert "3 nodes read, 0 of them broken" in llmops(tmp_path, "cache", "verify").stdout
    database = sqlite3.connect(tmp_path / ".llmops/llmops.db")
    database.execute("UPDATE nodes SET value = '{\"text\": 7}' WHERE key = (SELECT min(key) FROM nodes)")
    database.commit()
    database.close()
    for command in (["eval"], ["eval", "--explain"]):
        refused = llmops(tmp_path, *command)
        assert (refused.returncode, "is broken: KeyError: 'usage'" in refused.stderr) == (2, True)
        assert "llmops cache verify --remove" in refused.stderr
    done = llmops(tmp_path, "cache", "verify")
    assert (done.returncode, "1 of them broken" in done.stdout) == (1, True)
    assert llmops(tmp_path, "cache", "verify", "--remove").returncode == 0
    assert evaluated(tmp_path)["counts"]["model_calls"] == 1


def test_files_that_cannot_be_used_are_told(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 3)
    evaluated(tmp_path)
    (tmp_path / "taken").write_text("a file, not a folder")
    done = llmops(tmp_path, "cache", "export", "taken/cache.jsonl")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert "no such file" in llmops(tmp_path, "cache", "import", "nowhere.jsonl").stderr
