"""From plain data to a validated model: pydantic's findings, told in the user's terms and with their place."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.records import record
from llmops.domain.words import many
from llmops.settings.positions import Path, Positions

Positive = Annotated[int, Field(gt=0)]
Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]
"""A finite one; a whole one need not be written with a point."""
Amount = Annotated[float, Field(ge=0, strict=False, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, strict=False)]

Model = TypeVar("Model", bound=BaseModel)

KEY = "[key]"
"""Where pydantic places what is wrong with the key of a mapping: below the key."""


class Strict(BaseModel):
    """Base of everything a user writes: unknown keys are refused and values are not coerced."""

    model_config = ConfigDict(extra="forbid", defer_build=True, frozen=True, strict=True, hide_input_in_errors=True)


@record
class Shape:
    """Annotates text of one form; whoever writes another is told in words what was expected."""

    pattern: str
    """A regular expression that the whole text has to match, with `^` and `$` for JSON Schemas."""
    expected: str
    """The form in words, such as "a path inside the project"."""

    def __get_pydantic_core_schema__(self, source: type[str], handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}

    def _checked(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise ValueError(f"should be {self.expected}")
        return text


Name = Annotated[
    str,
    Field(max_length=80),
    Shape(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "letters, digits, `.`, `_` and `-`, a letter or a digit first"),
]


Wording = Annotated[str, Shape(r"^[\s\S]*\S[\s\S]*$", "a text that says something")]
"""Words for a judge or a reader, not blank."""


def _relative(path: str) -> str:
    """Keeps what a project reads and writes inside the project."""
    if path.startswith(("/", "~")) or ".." in path.replace("\\", "/").split("/"):
        raise ValueError("should be a path inside the project, relative to its root")
    return path


InsidePath = Annotated[str, Field(min_length=1), AfterValidator(_relative)]

LANGUAGES = (
    "ar", "bg", "da", "de", "el", "en", "es", "fr", "he", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "th", "uk",
    "zh",
)  # fmt: skip
"""ISO 639-1 codes of the languages that a text can be told to be in."""
LanguageCode = Annotated[str, Shape(f"^({'|'.join(LANGUAGES)})$", f"a language that can be told: {', '.join(LANGUAGES)}")]


_ELSEWHERE: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(["providers", "provider"], ["models", "targets"]),
    **dict.fromkeys(["models", "model"], ["targets", "id", "name"]),
    **dict.fromkeys(["tests", "testcases", "test-cases", "cases"], ["dataset"]),
    **dict.fromkeys(["assert", "asserts", "metrics", "scorer", "scorers"], ["evaluators"]),
    **dict.fromkeys(["base-url", "endpoint", "url"], ["api_base"]),
    **dict.fromkeys(["answer", "ground-truth", "reference", "target", "ideal"], ["expected"]),
    **dict.fromkeys(["response", "completion", "prediction"], ["output"]),
    **dict.fromkeys(["context", "retrieval-context", "retrieved-contexts", "documents", "passages"], ["contexts"]),
    **dict.fromkeys(["temperature", "max-tokens", "top-p", "seed", "stop"], ["params", "parameters"]),
    **dict.fromkeys(["content", "page-content", "body"], ["text"]),
    **dict.fromkeys(["faithfulness", "groundedness", "factuality"], ["hallucination"]),
    **dict.fromkeys(["factual-correctness", "answer-correctness"], ["correctness"]),
    **dict.fromkeys(["context-precision", "contextual-precision", "contextual-relevancy"], ["context-relevance"]),
    **dict.fromkeys(["contextual-recall"], ["context-recall"]),
    **dict.fromkeys(["answer-relevancy", "response-relevancy"], ["answer-relevance"]),
    **dict.fromkeys(["exact-match", "exact", "match"], ["equals"]),
    **dict.fromkeys(["json", "is-json"], ["json-schema"]),
    **dict.fromkeys(["g-eval", "geval", "llm-rubric"], ["criteria"]),
    "threshold": ["min"],
    "input": ["input_per_million"],
    "output": ["output_per_million"],
    "chunk-size": ["max_tokens"],
    "chunk-overlap": ["overlap"],
    "top-k": ["k"],
}
"""What other tools call a key of ours, as `kebab` writes it; the first that is valid in its place is meant."""
LISTED = 40
"""Names that are listed when none is close."""


def kebab(name: str) -> str:
    """A name in one spelling of many: `ContextRecallMetric` and `context_recall` are `context-recall`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).replace("_", "-").lower().removesuffix("-metric")


def close_to(name: str, names: Iterable[str]) -> str | None:
    """`Did you mean ...?` when one of `names` is close to `name`, or is what other tools call so."""
    known = sorted({str(n) for n in names})
    spelt = kebab(name)
    close = [n for n in (spelt, *_ELSEWHERE.get(spelt, ())) if n in known] or get_close_matches(name, known, n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`?" if close else None


def nearest(name: str, names: Iterable[str]) -> str | None:
    """As `close_to`, else the list of the names when it is short."""
    known = sorted({str(n) for n in names})
    close = close_to(name, known)
    if close is not None:
        return close
    if not known:
        return None
    listed = ", ".join(f"`{n}`" for n in known[:LISTED])
    return f"Valid: {listed}{' ...' if len(known) > LISTED else ''}."


def validated(model: type[Model], data: Any, positions: Positions, *, at: Path = ()) -> Model:  # noqa: ANN401
    """`data` as a `model`.

    Args:
        model: what is expected.
        data: plain data from a file.
        positions: of that file.
        at: where `data` stands in the file.

    Raises:
        InvalidFiles: with every problem, not only the first.
    """
    if not isinstance(data, dict):
        found = "is empty" if data is None else f"holds {_kind(data)}"
        raise InvalidFiles([positions.problem(at, f"{found}; a mapping of keys was expected.")])
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidFiles(_problems(model, data, positions, at, error)) from None


def _problems(
    model: type[BaseModel],
    data: Any,  # noqa: ANN401
    positions: Positions,
    at: Path,
    error: ValidationError,
) -> list[Problem]:
    problems: dict[tuple[Path, str], Problem] = {}
    for detail in error.errors(include_url=False, include_context=True):
        path = _real_path(data, detail["loc"])
        message, hint = told(model, detail, path)
        problems.setdefault((path, message), positions.problem((*at, *path), message, hint=hint))
    return list(problems.values())


def _real_path(data: Any, loc: Sequence[str | int]) -> Path:  # noqa: ANN401
    """`loc` without the parts that pydantic adds for unions and tags, which are not in the file."""
    path: list[str | int] = []
    for index, part in enumerate(loc):
        if part == KEY and isinstance(data, dict) and part not in data:
            break
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, dict) and part in data):
            path.append(part)
            data = data[part]
        elif index == len(loc) - 1 and isinstance(data, dict) and isinstance(part, str):
            path.append(part)
    return tuple(path)


def told(model: type[BaseModel], detail: Any, path: Path) -> tuple[str, str | None]:  # noqa: ANN401
    """What pydantic found, in plain words, and the hint; `path` leads to the value."""
    kind, value = detail["type"], detail.get("input")
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        fields = _fields_at(model, detail["loc"][:-1])
        return "unknown key.", nearest(str(path[-1]), fields)
    if kind == "missing":
        return "is missing.", None
    if kind == "union_tag_invalid":
        return f"`kind` {context['tag']!r} is not one of the valid kinds.", nearest(
            context["tag"], _literals(context["expected_tags"])
        )
    if kind == "union_tag_not_found":
        return "needs a `kind`.", None
    if kind in ("literal_error", "enum"):
        return f"{value!r} is not one of the valid values.", nearest(str(value), _literals(context.get("expected", "")))
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        keys = [] if kind == "dict_type" else _fields_at(model, detail["loc"])
        return f"should be a mapping of keys; found {_kind(value)}.", f"As in `{{{keys[0]}: ...}}`." if keys else None
    if kind == "list_type":
        return f"should be a list; found {_kind(value)}.", _meant([value]) if isinstance(value, str) else None
    if kind in ("too_short", "too_long"):
        bound = many(context["min_length"], "item") if kind == "too_short" else many(context["max_length"], "item")
        return f"should have at {'least' if kind == 'too_short' else 'most'} {bound}; found {_kind(value)}.", None
    message = detail["msg"].removeprefix("Value error, ").partition(", unable to parse")[0].rstrip(".")
    message = message[0].lower() + message[1:] if message.startswith(("Input", "Value", "String")) else message
    if kind == "value_error" and isinstance(value, dict | list):
        return message if message.endswith("?") else f"{message}.", None
    hint = _meant(str(value)) if kind == "string_type" and type(value) in (int, float) else None
    return f"{message.removeprefix('input ').removeprefix('string ')}; found {_kind(value)}.", hint


def _meant(value: Any) -> str:  # noqa: ANN401
    return f"Did you mean `{json.dumps(value, ensure_ascii=False)}`?"


def _literals(expected: str) -> list[str]:
    return [part.strip(" '") for part in expected.replace(" or ", ",").split(",") if part.strip(" '")]


def _kind(value: Any) -> str:  # noqa: ANN401
    """A value as a user would recognise it, short."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fields_at(model: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    """Names of the fields of the model that stands at `loc` below `model`."""
    models: list[type[BaseModel]] = [model]
    for part in loc:
        below: list[type[BaseModel]] = []
        for each in models:
            field = each.model_fields.get(str(part))
            below += _models_in(field.annotation) if field is not None else []
        models = below or models
    return [field.alias or name for each in models for name, field in each.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]
