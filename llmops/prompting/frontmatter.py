"""The YAML front matter of a prompt: description, variables, model parameters, tags."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import Field

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.keys import canonical
from llmops.domain.records import record
from llmops.prompting.variables import RESERVED, Value, Variable
from llmops.settings.positions import Positions, parse_yaml
from llmops.settings.validation import Strict, validated

FENCE = "---"
PARAMETERS = (
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_sentences",
    "max_tokens",
    "min_p",
    "min_tokens",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "seed",
    "stop",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "verbosity",
)
"""What a prompt may set: how a model answers, never where a call goes or as whom, which LiteLLM takes as parameters too."""
_NAME = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


class _Variable(Strict):
    type: Literal["string", "integer", "number", "boolean", "array", "object", "image", "messages", "any"] = "any"
    required: bool | None = None
    default: Any = None
    description: str = ""
    examples: list[Any] = Field(default_factory=list)


class _FrontMatter(Strict):
    description: str = ""
    variables: dict[str, _Variable] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict, json_schema_extra={"propertyNames": {"enum": [*PARAMETERS]}})
    tags: list[str] = Field(default_factory=list)


@record
class FrontMatter:
    """What stands before the messages."""

    description: str = ""
    variables: Mapping[str, Variable] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Model parameters, all of `PARAMETERS`, passed through to the provider."""
    tags: tuple[str, ...] = ()


def split_front_matter(text: str, file: str) -> tuple[str | None, str, int]:
    """The YAML between `---` lines at the head of `text`, the rest, and the line at which the rest begins.

    Raises:
        InvalidFiles: the second `---` is missing.
    """
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        return None, text, 1
    for index, line in enumerate(lines[1:], 1):
        if line.rstrip() == FENCE:
            return "\n".join(lines[1:index]) + "\n", "\n".join(lines[index + 1 :]), index + 2
    raise InvalidFiles([Problem(file, "the front matter has no closing `---` line.", line=1, hint="Close it with `---`.")])


def parse_front_matter(text: str | None, file: str) -> FrontMatter:
    """Front matter as an object.

    Raises:
        InvalidFiles: with every problem, each at its line and key.
    """
    data, positions = parse_yaml(text, file, first_line=2) if text is not None else (None, Positions(file, {}))
    if data is None:
        return FrontMatter()
    if isinstance(data, dict) and isinstance(data.get("variables"), dict):
        # `question:` with nothing after it declares a variable of any type.
        data["variables"] = {key: {} if value is None else value for key, value in data["variables"].items()}
    model = validated(_FrontMatter, data, positions)
    problems: list[Problem] = []
    variables = {name: _variable(name, raw, positions, problems) for name, raw in model.variables.items()}
    problems += _parameter_problems(model.parameters, positions)
    if problems:
        raise InvalidFiles(problems)
    return FrontMatter(model.description, variables, model.parameters, tuple(model.tags))


def settable(name: str, value: Any) -> bool:  # noqa: ANN401 -- whatever a provider takes
    """Whether a prompt may set this parameter. Its tools are functions: others let a provider call an address."""
    if name == "tools" and value is not None:
        return isinstance(value, list) and all(isinstance(tool, dict) and tool.get("type") == "function" for tool in value)
    return name in PARAMETERS


def _parameter_problems(parameters: Mapping[str, Any], positions: Positions) -> Iterator[Problem]:
    for name, value in parameters.items():
        path = ("parameters", name)
        if name not in PARAMETERS:
            meant = get_close_matches(name, PARAMETERS, n=1, cutoff=0.8)
            hint = f"Did you mean `{meant[0]}`?" if meant else "Drop it, or give it to the model: its `params` in llmops.yaml."
            yield positions.problem(path, "is not a parameter that a prompt sets.", hint=hint)
        elif not settable(name, value):
            yield positions.problem(path, "holds a tool that is not of `type: function`, and a prompt sets no others.")
        elif not _is_json(value):
            yield positions.problem(path, "holds a value that JSON cannot express.")


def _variable(name: str, raw: _Variable, positions: Positions, problems: list[Problem]) -> Variable:
    path = ("variables", name)
    has_default = "default" in raw.model_fields_set
    required = not has_default if raw.required is None else raw.required
    variable = Variable(name, raw.type, required, raw.default, raw.description, tuple(raw.examples), line=positions.of(path)[0])
    if not _NAME.match(name):
        problems.append(positions.problem(path, "is not a variable name: letters, digits and `_`, not a digit first."))
    elif name in RESERVED:
        problems.append(positions.problem(path, "is reserved: in a template it means something else.", hint="Rename it."))
    if required and has_default:
        hint = "Drop `required: true` or the default."
        problems.append(positions.problem((*path, "default"), "a required variable has no default.", hint=hint))
    for key, values in (("default", [raw.default] if has_default else []), ("examples", raw.examples)):
        for value in values:
            if problem := variable.problem_with(value):
                problems.append(positions.problem((*path, key), f"{problem}."))
            elif not _is_json(value):
                problems.append(positions.problem((*path, key), "holds a value that JSON cannot express."))
    return variable


def _is_json(value: Value) -> bool:
    try:
        canonical(value)
    except (TypeError, ValueError):
        return False
    return True
