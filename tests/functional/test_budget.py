"""A run stops when its money is spent, loses nothing, and goes on with more."""

import json
from pathlib import Path

import pytest
from command_line import edit, llmops, project, report, write
from openai_server import OpenAiServer


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


@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_waits_for_its_turn_is_not_sent_once_the_money_is_spent(tmp_path: Path, concurrency: int) -> None:
    with OpenAiServer().running() as server:
        priced(tmp_path, server.base, 60)
        edit(tmp_path / "llmops.yaml", "concurrency: 8", f"concurrency: {concurrency}")
        done = llmops(tmp_path, "eval", "--json", "--budget", str(5 * 13))
        assert done.returncode == 5, done.stderr
        assert 5 <= server.requests <= 5 + concurrency - 1
        assert report(done)["counts"]["model_calls"] == server.requests
        done = llmops(tmp_path, "eval", "--json", "--budget", str(60 * 13))
        assert (done.returncode, server.requests) == (0, 60)


@pytest.mark.parametrize("targets", ["m, backed", "backed, m"])
@pytest.mark.parametrize("stopped", [False, True])
def test_an_answer_that_cells_share_is_paid_once(tmp_path: Path, targets: str, *, stopped: bool) -> None:
    with OpenAiServer().running() as server:
        priced(tmp_path, server.base, 4)
        edit(tmp_path / "llmops.yaml", "models:\n", "routes:\n  backed: {kind: fallback, models: [m, n]}\nmodels:\n")
        second = f"id: openai/n, api_base: {server.base}, price: {{input_per_million: 1, output_per_million: 1}}"
        edit(tmp_path / "llmops.yaml", "  m: {id", f"  n: {{{second}}}\n  m: {{id")
        edit(tmp_path / "evals/say.yaml", "targets: [m]", f"targets: [{targets}]")
        cases = tmp_path / "datasets/say.jsonl"
        cases.write_text(cases.read_text().replace("w3", "w2"))  # two cases of one text
        if stopped:
            done = llmops(tmp_path, "eval", "--json", "--concurrency", "1", "--budget", "20")
            assert (done.returncode, server.requests) == (5, 2)
        done = llmops(tmp_path, "eval", "--json", "--budget", "40")  # exactly what it takes, and a dollar
        assert (done.returncode, server.requests) == (0, 3), done.stderr
    found = report(done)
    spent = sum(group["spend"]["spent_usd"] for group in found["groups"])
    sent = sum(group["spend"]["calls"] for group in found["groups"])
    assert (spent, sent, found["counts"]["model_calls"]) == (3 * 13, 3, 3)


def embedding(folder: Path, base: str, price: str = ", price: {input_per_million: 1.0e+6}") -> None:
    """300 passages and 12 questions, each of which costs a dollar to embed; answers cost 13 each."""
    priced(folder, base)
    embedder = f"{{kind: litellm, name: openai/e, api_base: '{base}'{price}}}"
    index = f"indexes: {{all: {{corpus: {{paths: ['docs/*.md']}}, embedder: {embedder}, retrieve: {{bm25: 0}}}}}}\n"
    pages = {f"docs/{number}.md": f"# Page {number}\n\nThe lamp {number} is lit.\n" for number in range(300)}
    settings, suite = (folder / name for name in ("llmops.yaml", "evals/say.yaml"))
    write(folder, pages | {"llmops.yaml": settings.read_text() + index})
    suite.write_text(f"{suite.read_text()}index: all\nquery: word\n")


def test_what_a_hosted_embedder_takes_is_told_and_counts_into_the_budget(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        embedding(tmp_path, server.base)
        stopped = llmops(tmp_path, "eval", "--budget", "200", "--json", OPENAI_API_KEY="k")
        first = report(stopped)
        assert (stopped.returncode, first["status"], server.requests) == (5, "over budget", 0)
        assert len(server.embedded) == 256  # a batch is finished, and none of it is lost
        assert (first["embedding"]["openai/e"]["spent_usd"], first["counts"]["cells"]) == (256, 0)

        whole = llmops(tmp_path, "eval", "--budget", "1000", "--json", OPENAI_API_KEY="k")
        assert whole.returncode == 0, whole.stderr
        then = report(whole)
        assert (then["run_id"], server.requests, len(server.embedded)) == (first["run_id"], 12, 312)
        assert sum(group["spend"]["spent_usd"] for group in then["groups"]) == 12 * 13
        assert then["embedding"]["openai/e"]["spent_usd"] == 56
        assert any("texts embedded by openai/e" in note and "56 tokens, $56.00" in note for note in then["notes"])

        assert report(llmops(tmp_path, "eval", "--json", OPENAI_API_KEY="k"))["embedding"] == {}


def test_a_budget_needs_the_price_of_an_embedder(tmp_path: Path) -> None:
    embedding(tmp_path, "http://127.0.0.1:9/v1", price="")
    done = llmops(tmp_path, "eval", "--budget", "1", OPENAI_API_KEY="k")
    assert done.returncode == 2
    assert "needs the price of the embedder 'openai/e'" in done.stderr
    assert "price: {input_per_million: ...}" in " ".join(done.stderr.split())
    text = (tmp_path / "evals/say.yaml").read_text()
    capped = text.replace("index: all\nquery: word\n", "budget: 0\n")
    write(tmp_path, {"evals/capped.yaml": capped})
    both = llmops(tmp_path, "eval", OPENAI_API_KEY="k")
    assert (both.returncode, "price of the embedder" in both.stderr) == (5, False)  # the other suite's embedder is no matter
