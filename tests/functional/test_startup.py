"""What a command imports, counted: start-up stays fast because heavy vendors stay out."""

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment, llmops, write

from llmops.cli.main import COMMANDS

HEAVY = {"litellm", "chromadb", "torch", "transformers", "scipy", "numpy", "onnxruntime", "sqlalchemy", "pydantic", "rich"}
NOT_WHEN_CACHED = {
    *("litellm", "chromadb", "torch", "transformers", "onnxruntime", "tokenizers", "bm25s", "aiohttp"),
    *("numpy", "scipy", "ir_measures", "filelock"),
    *("llmops.scoring.toxicity", "llmops.scoring.groundedness"),
}


def imported(folder: Path, *arguments: str) -> set[str]:
    code = (
        "import sys\nfrom llmops.cli.main import main\n"
        f"sys.argv = ['llmops', *{list(arguments)!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('MODULES', *{name.partition('.')[0] for name in sys.modules}, *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment(), capture_output=True, text=True, check=True
    )
    return set(done.stdout.rsplit("MODULES ", 1)[1].split())


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "llmops", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert run("version") == (0, llmops(tmp_path, "version").stdout)
    assert run("eval")[0] == 2  # there is no project


def test_help_imports_no_heavy_vendor(tmp_path: Path) -> None:
    assert imported(tmp_path, "--help") & HEAVY == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_loads_nothing_that_it_works_with(command: str, tmp_path: Path) -> None:
    loaded = imported(tmp_path, command, "--help")
    assert loaded & {*HEAVY - {"pydantic"}, "jinja2", "yaml", "asyncio"} == set()  # Typer itself reads values with pydantic
    working = ("workflows", "wiring", "adapters", "evaluation", "rag", "routing", "scoring", "prompting", "statistics")
    assert {name for name in loaded if name.startswith(tuple(f"llmops.{each}" for each in working))} == set()


def test_a_command_leaves_each_database_in_one_file(tmp_path: Path) -> None:
    write(tmp_path, {})
    assert llmops(tmp_path, "init").returncode == 0
    for command in ("eval", "eval", "runs list", "cache list"):
        assert llmops(tmp_path, *command.split()).returncode == 0
        assert {path.name for path in (tmp_path / ".llmops").glob("*.db*")} == {
            *("llmops.db", "embeddings.db", "embeddings.db.lock")
        }


@pytest.mark.parametrize(("set_by_the_user", "threads"), [(None, "1"), ("4", "4")])
def test_small_matrices_are_worked_on_by_one_thread_unless_the_user_says_otherwise(
    tmp_path: Path, set_by_the_user: str | None, threads: str
) -> None:
    code = (
        "import os, sys\nfrom llmops.cli.main import main\nassert 'numpy' not in sys.modules\n"
        "sys.argv = ['llmops', '--version']\ntry:\n    main()\nfinally:\n    print(os.environ['OPENBLAS_NUM_THREADS'])\n"
    )
    variables = {name: value for name, value in environment().items() if name != "OPENBLAS_NUM_THREADS"}
    variables |= {} if set_by_the_user is None else {"OPENBLAS_NUM_THREADS": set_by_the_user}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == threads


def test_a_fully_cached_eval_imports_no_model_and_no_index(tmp_path: Path) -> None:
    write(tmp_path, {})
    assert llmops(tmp_path, "init").returncode == 0
    assert llmops(tmp_path, "eval").returncode == 0
    assert imported(tmp_path, "eval") & NOT_WHEN_CACHED == set()


@pytest.mark.parametrize("command", ["runs list", "runs show", "prompt list", "cache list", "store status"])
def test_a_command_that_only_reads_loads_nothing_that_evaluates(command: str, tmp_path: Path) -> None:
    write(tmp_path, {})
    assert llmops(tmp_path, "init").returncode == 0
    assert llmops(tmp_path, "eval").returncode == 0
    loaded = imported(tmp_path, *command.split())
    assert {name for name in loaded if name.startswith("llmops.evaluation.")} <= {"llmops.evaluation.datasets"}
