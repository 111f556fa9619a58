"""Is the answer JSON that fits a schema?"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from llmops.domain.errors import InvalidFiles
from llmops.domain.keys import canonical, content_hash
from llmops.domain.records import record
from llmops.domain.scores import Failure, Outcome, Sample, Score
from llmops.evaluation.evaluators.base import SHARE, Figures, Kind, Services, WrongOption, identity
from llmops.scoring.json_text import NotJson, parse_json
from llmops.scoring.schema import TIMEOUT_S, Validator, problems, validator
from llmops.settings.files import read_text
from llmops.settings.positions import parse_yaml
from llmops.settings.validation import InsidePath, Strict


def _kind(value: object) -> str:
    return "path" if isinstance(value, str) else "schema"


class JsonSchemaOptions(Strict):
    """Options of `json-schema`."""

    schema_: Annotated[Annotated[InsidePath, Tag("path")] | Annotated[dict[str, Any], Tag("schema")], Discriminator(_kind)] = (
        Field(alias="schema")
    )
    """The schema itself, or a JSON or YAML file inside the project that holds it."""


@record
class JsonSchema:
    """Value 1 when the answer is JSON that fits, else 0."""

    options: JsonSchemaOptions
    schema_hash: str
    checked: Validator

    @property
    def identity(self) -> str:
        """The content of the schema."""
        return identity("json-schema", 2, self.options, self.schema_hash)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Parse the answer, or its only fenced block, and validate it."""
        try:
            value = parse_json(sample.completion.text)
        except NotJson as error:
            return Score(0.0, f"is not JSON: {error}")
        try:
            found = problems(self.checked, value)
        except TimeoutError:
            return Failure(f"the validation took longer than {TIMEOUT_S:g} s")
        except ValueError as error:
            return Failure(str(error))
        return Score(float(not found), "; ".join(found) or "fits the schema")


def _schema(options: JsonSchemaOptions, root: Path) -> Mapping[str, Any]:
    if not isinstance(options.schema_, str):
        return options.schema_
    path = root / options.schema_
    if not path.resolve().is_relative_to(root.resolve()):
        raise WrongOption("schema", f"{options.schema_!r} leads out of the project.")
    try:
        text = read_text(path, root)
        found = json.loads(text) if path.suffix == ".json" else parse_yaml(text, options.schema_)[0]
    except InvalidFiles as error:
        raise WrongOption("schema", str(error)) from None
    except (ValueError, RecursionError) as error:
        raise WrongOption("schema", f"{options.schema_!r} is not valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise WrongOption("schema", f"{options.schema_!r} does not hold a JSON Schema; a mapping was expected.")
    return found


def _check(options: JsonSchemaOptions, root: Path) -> tuple[Mapping[str, Any], Validator]:
    schema = _schema(options, root)
    try:
        return schema, validator(schema)
    except ValueError as error:
        raise WrongOption("schema", f"{error}.") from None


def _build(options: JsonSchemaOptions, services: Services) -> JsonSchema:
    schema, checked = _check(options, services.root)
    return JsonSchema(options, content_hash(canonical(schema)), checked)


KIND = Kind(
    "json-schema",
    "Is the answer JSON that fits a JSON Schema?",
    JsonSchemaOptions,
    _build,
    _check,
    min=1.0,
    figures=Figures(SHARE),
)
