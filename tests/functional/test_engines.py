"""Where an evaluation runs: what is told before anything is."""

from pathlib import Path

import pytest
from command_line import llmops, project, write
from openai_server import OpenAiServer


def test_an_index_has_engines_too(tmp_path: Path) -> None:
    settings = "models:\n  small: {id: embedded/reader-small}\nindexes:\n  notes: {corpus: {paths: ['*.md']}}\n"
    write(tmp_path, {"llmops.yaml": settings, "a.md": "# A\n\nText.\n"})
    done = llmops(tmp_path, "rag", "index", "--address", "127.0.0.1:1")
    assert (done.returncode, "Add --engine ray" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--address", "127.0.0.1:1"), "Add --engine ray"),
        (("--engine", "rey"), "'local', 'ray'"),
        (("--engine", "ray"), 'pip install "llmops[ray]"'),
    ],
    ids=["address alone", "unknown engine", "no ray"],
)
def test_a_wrong_engine_is_told_in_one_message(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    project(tmp_path, "http://127.0.0.1:9/v1")
    hidden = write(tmp_path / "hidden", {"ray.py": "raise ImportError\n"})
    done = llmops(tmp_path, "eval", *arguments, PYTHONPATH=f"{hidden}:{Path(__file__).parents[2]}")
    assert (done.returncode, told in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert done.stdout == ""


def test_another_server_at_the_address_is_told_at_once(tmp_path: Path) -> None:
    present = write(tmp_path / "present", {"ray.py": ""})
    with OpenAiServer().running() as server:
        address = server.base.removeprefix("http://").removesuffix("/v1")
        project(tmp_path, server.base)
        found = f"{present}:{Path(__file__).parents[2]}"
        done = llmops(tmp_path, "eval", "--engine", "ray", "--address", address, PYTHONPATH=found)
    assert (done.returncode, f"'{address}': what answers there is no Ray cluster" in done.stderr) == (2, True), done.stderr
