"""JSON Schemas of the files that a user writes and of what `--json` prints."""

from typing import Any

from pydantic import TypeAdapter

from llmops.domain.reports import Report
from llmops.domain.runs import CellResult
from llmops.evaluation.datasets import CaseRow
from llmops.settings.project import ProjectSettings
from llmops.settings.suite import SuiteSettings


def schemas() -> dict[str, dict[str, Any]]:
    """By name: `project`, `suite`, `case`, `report`."""
    return {
        "project": ProjectSettings.model_json_schema(),
        "suite": SuiteSettings.model_json_schema(),
        "case": CaseRow.model_json_schema(),
        "report": _report(),
    }


def _report() -> dict[str, Any]:
    """`{"schema_version", "runs": [{...report, "results": [...]}]}`, as `reporting.documents.to_json` prints it."""
    run = TypeAdapter(Report).json_schema()
    cell = TypeAdapter(CellResult).json_schema()
    definitions = {**run.pop("$defs", {}), **cell.pop("$defs", {}), "CellResult": cell}
    run["properties"]["results"] = {"type": "array", "items": {"$ref": "#/$defs/CellResult"}}
    run["required"] = [*run.get("required", []), "results"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"schema_version": {"type": "integer"}, "runs": {"type": "array", "items": {"$ref": "#/$defs/Run"}}},
        "required": ["schema_version", "runs"],
        "additionalProperties": False,
        "$defs": {**definitions, "Run": run},
    }
