"""A run stops when its money is spent, loses nothing, and goes on with more."""

import json
from pathlib import Path

from command_line import llmops, project, report
from openai_server import OpenAiServer
from test_bad_input import edit


def priced(folder: Path, base: str, cases: int = 12) -> None:
    """Each call costs 7 x 1 + 3 x 2 = 13 dollars."""
    project(folder, base, cases)
    edit(
        folder / "llmops.yaml",
        "input_per_million: 1, output_per_million: 2",
        "input_per_million: 1.0e+6, output_per_million: 2.0e+6",
    )


def test_a_run_stops_when_the_money_is_spent_and_goes_on_with_more(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        priced(tmp_path, server.base)
        done = llmops(tmp_path, "eval", "--budget", "40", "--concurrency", "1", "--json")
        assert done.returncode == 5, done.stderr
        first = report(done)
        assert (first["status"], first["verdict"], server.requests) == ("over budget", "not judged", 4)
        assert sum(group["spend"]["spent_usd"] for group in first["groups"]) == 4 * 13

        again = report(llmops(tmp_path, "eval", "--budget", "40", "--concurrency", "1", "--json"))
        assert (again["run_id"], server.requests) == (first["run_id"], 4)

        whole = llmops(tmp_path, "eval", "--budget", "1000", "--json")
        assert whole.returncode == 0, whole.stderr
        assert report(whole)["run_id"] == first["run_id"]
        assert server.requests == 12
        assert max(server.prompts.values()) == 1


def test_a_suite_has_a_budget_of_its_own(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        priced(tmp_path, server.base)
        suite = tmp_path / "evals/say.yaml"
        suite.write_text(f"{suite.read_text()}budget: 20\n")
        done = llmops(tmp_path, "eval", "--concurrency", "1")
    assert done.returncode == 5
    assert "over budget: no verdict (exit 5)" in done.stdout
    assert "larger --budget continues" in " ".join(done.stdout.split())
    assert server.requests == 2


def test_a_budget_needs_prices(tmp_path: Path) -> None:
    project(tmp_path, "http://127.0.0.1:9/v1")
    edit(tmp_path / "llmops.yaml", ", price: {input_per_million: 1, output_per_million: 2}", "")
    done = llmops(tmp_path, "eval", "--budget", "1")
    assert done.returncode == 2
    assert "needs the price of 'm'" in done.stderr
    assert json.loads(llmops(tmp_path, "runs", "list", "--json").stdout) == []
