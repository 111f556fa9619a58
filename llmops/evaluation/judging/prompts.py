"""The prompts of judges: ours are files of the package, and a prompt of the project can stand in for each of them."""

from collections.abc import Collection
from functools import cache
from importlib.resources import files

from llmops.domain.errors import UsageError
from llmops.prompting.template import PromptVersion, parse_prompt

FOLDER = "data/judges"


@cache
def shipped(name: str) -> PromptVersion:
    """The package's own prompt of this name, such as `criteria`."""
    folder = files("llmops").joinpath(FOLDER)
    shared = {each.name: each.read_text("utf-8") for each in folder.joinpath("_shared").iterdir() if each.name.endswith(".j2")}
    text = folder.joinpath(f"{name}.j2").read_text("utf-8")
    return parse_prompt(text, file=f"llmops/{FOLDER}/{name}.j2", shared=shared, name=name)


def not_given(prompt: PromptVersion, given: Collection[str]) -> list[str]:
    """Variables that a prompt needs and does not get."""
    asked = {*prompt.used_variables, *prompt.variables}.difference(given)
    return sorted(name for name in asked if name not in prompt.variables or prompt.variables[name].required)


def check_fits(prompt: PromptVersion, ours: PromptVersion) -> None:
    """Refuse a prompt of the project that needs values which a judge of this kind is not given.

    Raises:
        UsageError: with the names that it may use.
    """
    given = ours.variables
    if unknown := not_given(prompt, given):
        found = f"the prompt {prompt.name!r} uses `{unknown[0]}`, which a judge of {ours.name!r} is not given."
        raise UsageError(found, hint=f"It is given: {', '.join(f'`{name}`' for name in sorted(given))}.")
    if "material" not in prompt.used_variables:
        found = f"the prompt {prompt.name!r} does not use `material`, which holds the answer to judge."
        raise UsageError(found, hint=f"Begin with a copy of {ours.file}.")
