"""The reference of the commands holds every command and every option, and nothing that does not exist."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import pytest
import typer
from manual_pages import Page, pages
from typer.core import TyperCommand, TyperGroup

from llmops.cli.main import COMMANDS, app

SECTIONS = pages()["docs/reference/cli.md"].sections()
COMMON = "options-of-every-command"
AnyCommand = TyperCommand | TyperGroup
MISSING = [name for name, (module, _) in COMMANDS.items() if find_spec(module) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"these commands have no module: {', '.join(MISSING)}")


def _command(name: str) -> AnyCommand:
    return as_command(typer.main.get_command(import_module(COMMANDS[name][0]).app))


def as_command(command: object) -> AnyCommand:
    assert isinstance(command, AnyCommand)
    return command


def _below(command: AnyCommand, path: str) -> Iterator[tuple[str, AnyCommand]]:
    """A command and, when it is a group, the commands in it."""
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            yield from _below(as_command(each), f"{path} {name}")
    else:
        yield path, command


def _options(command: AnyCommand) -> list[str]:
    flags = [flag for option in command.params for flag in (*option.opts, *option.secondary_opts) if flag.startswith("-")]
    return [flag for flag in flags if flag not in ("-h", "--help", "--install-completion", "--show-completion")]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_and_option_is_documented(name: str) -> None:
    text = SECTIONS[f"llmops-{name}"]
    for path, command in _below(_command(name), f"llmops {name}"):
        assert path in text, path
        missing = [flag for flag in _options(command) if not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", text)]
        assert missing == [], path


def test_options_of_the_program_are_documented() -> None:
    missing = [flag for flag in _options(as_command(typer.main.get_command(app))) if flag not in SECTIONS[COMMON]]
    assert missing == []


@cache
def _known() -> dict[str, list[str]]:
    """Options of each command with those of the program."""
    common = _options(as_command(typer.main.get_command(app)))
    known: dict[str, list[str]] = {f"llmops {name}": [] for name in COMMANDS}
    for name in COMMANDS:
        for path, command in _below(_command(name), f"llmops {name}"):
            known[path] = [*common, *_options(command), "--help", "-h"]
            known[f"llmops {name}"] += known[path]
    return known


def _calls(page: Page) -> list[str]:
    """Calls in code spans, in shell examples and in the steps of a CI job."""
    spans = re.findall(r"`(llmops [^`]+)`", " ".join(page.prose.split()))
    lines = [line for body in page.examples("sh") for line in body.split("\n") if line.startswith("llmops ")]
    steps = re.findall(r"run: (llmops .+)", page.text)
    return [call for call in (*spans, *lines, *steps) if re.match(r"llmops [a-z]", call)]


@pytest.mark.parametrize("page", list(pages().values()), ids=list(pages()))
def test_commands_in_the_manual_exist(page: Page) -> None:
    known = _known()
    for call in _calls(page):
        words = call.split()
        path = " ".join(words[:3]) if " ".join(words[:3]) in known else " ".join(words[:2])
        assert path in known, call
        unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known[path]]
        assert unknown == [], call
