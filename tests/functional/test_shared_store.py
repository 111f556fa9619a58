"""One PostgreSQL store for several processes, with the real command line and a real server."""

from pathlib import Path

from command_line import llmops, project, report
from openai_server import OpenAiServer
from postgres_server import PASSWORD, PostgresServer


def on_database(folder: Path, url: str, base: str, cases: int = 3) -> Path:
    project(folder, base, cases)
    settings = folder / "llmops.yaml"
    settings.write_text(settings.read_text() + f"store: {url}\n")
    return folder


def without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split(':')[0]}@{rest.partition('@')[2]}"


def test_a_second_run_finds_what_the_first_paid_for_and_nothing_tells_the_password(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.database()
    with OpenAiServer().running() as server:
        here = on_database(tmp_path / "here", url, server.base)
        there = on_database(tmp_path / "there", without_password(url), server.base)
        first = llmops(here, "eval", "--json")
        second = llmops(there, "eval", "--json", PGPASSWORD=PASSWORD)
        assert report(first)["counts"]["cells"] == report(second)["counts"]["cells"] == 3
        assert (report(first)["counts"]["reused"], report(second)["counts"]["reused"]) == (0, 3)
        assert server.requests == 3
        told = [first.stdout, first.stderr, llmops(here, "doctor").stdout, llmops(here, "runs", "show", "--json").stdout]
    told.append(postgres.sql(url.rpartition("/")[2], "SELECT snapshot, report FROM runs"))
    assert "reachable" in told[2]
    assert not any(secret in text for text in told for secret in (PASSWORD, url.split(":")[2].partition("@")[0]))


def test_an_unreachable_store_is_exit_code_2_without_a_traceback(tmp_path: Path) -> None:
    folder = on_database(tmp_path, "postgresql://me:hidden-word@127.0.0.1:1/db", "http://127.0.0.1:1/v1")
    for arguments in (["eval"], ["runs", "list"]):
        done = llmops(folder, *arguments)
        assert done.returncode == 2
        assert "'postgresql://me@127.0.0.1:1/db' cannot be reached" in done.stderr
        assert "Check that the server runs" in done.stderr
        assert "Traceback" not in done.stderr
        assert "hidden-word" not in done.stdout + done.stderr
