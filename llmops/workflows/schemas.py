"""JSON Schemas of the files that a user writes and of what `--json` prints."""

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from llmops.domain.reports import Report
from llmops.domain.runs import CellResult
from llmops.evaluation.datasets import CaseRow
from llmops.evaluation.evaluators.catalogue import kinds
from llmops.settings.project import ProjectSettings
from llmops.settings.suite import CommonOptions, SuiteSettings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """By name: `project`, `suite`, `case`, `report`."""
    return {
        "project": {"$schema": DIALECT, **ProjectSettings.model_json_schema()},
        "suite": _with_evaluators(SuiteSettings),
        "case": _with_evaluators(CaseRow),
        "report": _report(),
    }


def _with_evaluators(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a model whose `evaluators` are spelled out: each kind with its own and the common options."""
    wanted: list[type[BaseModel]] = [model, CommonOptions, *(kind.options for kind in kinds())]
    refs, document = models_json_schema([(each, "validation") for each in wanted])
    definitions = document["$defs"]
    common = _definition(definitions, refs[CommonOptions, "validation"])["properties"]
    for kind in kinds():
        options = _definition(definitions, refs[kind.options, "validation"])
        options["description"] = kind.summary
        options["properties"] = {**options["properties"], **common}
    named = {kind.name: {"anyOf": [refs[kind.options, "validation"], {"type": "null"}]} for kind in kinds()}
    named["python"]["anyOf"].append({"type": "string"})
    one = {"type": "object", "properties": named, "additionalProperties": False, "minProperties": 1, "maxProperties": 1}
    root = _definition(definitions, refs[model, "validation"])
    root["properties"]["evaluators"]["items"] = {"anyOf": [{"enum": list(named)}, one]}
    return {"$schema": DIALECT, **root, "$defs": {name: each for name, each in definitions.items() if each is not root}}


def _definition(definitions: dict[str, Any], reference: Any) -> dict[str, Any]:  # noqa: ANN401 -- a JSON Schema
    found: dict[str, Any] = definitions[reference["$ref"].rpartition("/")[2]]
    return found


def _report() -> dict[str, Any]:
    """`{"schema_version", "runs": [{...report, "results": [...]}]}`, as `reporting.documents.to_json` prints it."""
    run = TypeAdapter(Report).json_schema()
    cell = TypeAdapter(CellResult).json_schema()
    definitions = {**run.pop("$defs", {}), **cell.pop("$defs", {}), "CellResult": cell}
    run["properties"]["results"] = {"type": "array", "items": {"$ref": "#/$defs/CellResult"}}
    run["required"] = [*run.get("required", []), "results"]
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {"schema_version": {"type": "integer"}, "runs": {"type": "array", "items": {"$ref": "#/$defs/Run"}}},
        "required": ["schema_version", "runs"],
        "additionalProperties": False,
        "$defs": {**definitions, "Run": run},
    }
