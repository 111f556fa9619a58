"""How help pages look."""

from pathlib import Path
from typing import Annotated

import pytest
import typer
from calling import call, project

from llmops.cli import help as pages
from llmops.cli.help import examples, restyle

app = typer.Typer()


@app.command(epilog=examples("tool one", "tool two --again"))
def command(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Names.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", "-t", help="With this tag.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first N.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say little.")] = False,
) -> None:
    """Do it."""


def page() -> str:
    made = typer.main.get_command(app)
    restyle(made)
    return made.context_class(made, info_name="tool").get_help()


def test_options_are_named_by_what_one_of_them_takes_and_each_example_has_its_line() -> None:
    lines = page().splitlines()
    assert lines[0] == "Usage: tool [OPTIONS] [NAME]..."
    assert "  -t, --tag <str>...  With this tag." in lines
    assert "  --limit <int>       The first N.  [x>=1]" in lines
    assert "  --quiet             Say little." in lines
    assert lines[-3:] == ["  Examples:", "    tool one", "    tool two --again"]
    assert "completion" not in "".join(lines)


def test_only_a_person_sees_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in page()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    coloured = page()
    assert "\x1b[1mOptions:\x1b[0m\n  \x1b[36m-t, --tag <str>...\x1b[0m  With" in coloured
    assert "\x1b[36mDo it" not in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in page()


def test_one_command_is_one_example() -> None:
    assert examples("tool") == "\b\nExample:\n  tool"
    assert pages.WIDTH >= 80


@pytest.mark.parametrize("variable", ["LLMOPS_VERSION", "LLMOPS_HELP", "LLMOPS_VALIDATE_HELP"])
@pytest.mark.parametrize("value", ["1", "0.1.0"])
def test_no_variable_ends_a_command_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = call(project(tmp_path), "validate")
    assert (done.code, done.error) == (0, "")
    assert done.out.startswith("All files are valid")


def test_a_variable_that_is_no_option_is_told_with_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLMOPS_RUNS_LIST_LIMITT", "LLMOPS_RUNS_LIST_ZZZZ", "LLMOPS_EVAL_LIMITT", "LLMOPS_RUNS_LIST_LIMIT"):
        monkeypatch.setenv(name, "3")
    done = call(project(tmp_path), "runs", "list")
    assert done.code == 0
    first, second = done.error.splitlines()
    assert first.startswith("LLMOPS_RUNS_LIST_LIMITT is set, and ")
    assert first.endswith("runs list has no such option. Did you mean LLMOPS_RUNS_LIST_LIMIT?")
    assert second.startswith("LLMOPS_RUNS_LIST_ZZZZ is set, and ")
    assert second.endswith("runs list has no such option.")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("eval", "--limit", "x"), "'--limit': should be a valid integer; found 'x'."),
        (("runs", "list", "--limit", "0"), "'--limit': should be greater than or equal to 1; found '0'."),
        (("compare", "a", "b", "--adjust", "z"), "'--adjust': 'z' is not one of 'holm', 'bh'."),
    ],
)
def test_a_value_that_does_not_fit_is_told_in_plain_words(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = call(project(tmp_path), *arguments)
    assert done.code == 2
    assert f"Invalid value for {told}" in done.error
