"""Findings as SARIF 2.1.0 (OASIS), which code hosts show beside the changed lines."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

from llmops import __version__
from llmops.domain.records import record
from llmops.reporting.safe import safe

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
Level = Literal["error", "warning", "note"]


@record
class SarifRule:
    """What a kind of finding is about."""

    id: str
    summary: str
    level: Level
    help: str = ""
    """Where it is explained, relative to the project or a URL."""


@record
class SarifResult:
    """One finding in one place."""

    rule: str
    level: Level
    message: str
    file: str
    """Relative to the project root."""
    line: int | None = None
    """1-based."""
    column: int | None = None
    """1-based."""


def to_sarif(rules: Sequence[SarifRule], results: Iterable[SarifResult], folder: str = "") -> str:
    """One SARIF document with one run.

    Args:
        rules: what the findings are about.
        results: the findings.
        folder: of the project in its repository, such as `apps/shop/`: code hosts look files up from the repository's top.
    """
    index = {rule.id: number for number, rule in enumerate(rules)}
    driver = {"name": "llmops", "semanticVersion": __version__, "rules": [_rule(rule) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(result, index, folder) for result in results],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1, ensure_ascii=True) + "\n"


def _rule(rule: SarifRule) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "defaultConfiguration": {"level": rule.level},
    }
    return {**told, "help": {"text": rule.help}} if rule.help else told


def _result(result: SarifResult, index: Mapping[str, int], folder: str) -> dict[str, Any]:
    region = {"startLine": result.line or 1, **({"startColumn": result.column} if result.column else {})}
    place = {"artifactLocation": {"uri": _uri(folder + result.file), "uriBaseId": "%SRCROOT%"}, "region": region}
    return {
        "ruleId": result.rule,
        "ruleIndex": index[result.rule],
        "level": result.level,
        "message": {"text": safe(result.message)},
        "locations": [{"physicalLocation": place}],
    }


def _uri(path: str) -> str:
    """A path as a relative URI reference (RFC 3986)."""
    return quote(safe(path).replace("\\", "/"))
