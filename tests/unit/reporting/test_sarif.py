"""SARIF has the shape that the standard asks for, whatever a finding says."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from llmops.prompting.lint import RULES, Finding
from llmops.reporting.prompts import lint_sarif
from llmops.reporting.sarif import SarifResult, SarifRule, to_sarif


def required(*names: str, **properties: object) -> dict[str, Any]:
    return {"type": "object", "required": list(names), "properties": properties}


TEXT = required("text", text={"type": "string", "minLength": 1})
LEVEL = {"enum": ["none", "note", "warning", "error"]}
REGION = required(startLine={"type": "integer", "minimum": 1}, startColumn={"type": "integer", "minimum": 1})
URI = {"type": "string", "pattern": r"^[!#-;=?-Z_a-z~%\[\]@]*$"}
RULE = required("id", id={"type": "string"}, shortDescription=TEXT, help=TEXT, defaultConfiguration=required(level=LEVEL))
PLACE = required("physicalLocation", physicalLocation=required(artifactLocation=required(uri=URI), region=REGION))
RESULT = required(
    "message",
    message=TEXT,
    level=LEVEL,
    ruleIndex={"type": "integer", "minimum": 0},
    locations={"type": "array", "items": PLACE},
)
DRIVER = required("name", name={"type": "string"}, rules={"type": "array", "items": RULE, "uniqueItems": True})
RUN = required("tool", "results", tool=required("driver", driver=DRIVER), results={"type": "array", "items": RESULT})
SCHEMA = required("version", "runs", version={"const": "2.1.0"}, runs={"type": "array", "items": RUN})
"""What the OASIS standard requires of the parts that are written here (SARIF 2.1.0, sections 3.13 to 3.30)."""


@given(
    st.lists(
        st.builds(
            SarifResult,
            rule=st.sampled_from(["a", "b"]),
            level=st.sampled_from(["error", "warning", "note"]),
            message=st.text(min_size=1).filter(lambda text: text.strip("\x00").isprintable()),
            file=st.text(min_size=1),
            line=st.none() | st.integers(min_value=1, max_value=10**6),
            column=st.none() | st.integers(min_value=1, max_value=10**4),
        )
    )
)
def test_any_finding_gives_a_valid_document(results: list[SarifResult]) -> None:
    rules = [SarifRule("a", "First.", "error", "docs/a.md"), SarifRule("b", "Second.", "warning")]
    document = json.loads(to_sarif(rules, results))
    Draft202012Validator(SCHEMA).validate(document)
    (run,) = document["runs"]
    assert [rules[each["ruleIndex"]].id for each in run["results"]] == [result.rule for result in results]


def test_lint_findings_point_at_their_place_and_their_page() -> None:
    finding = Finding("secret", "error", "A key stands here.", "prompts/a b/prompt.j2", 3, 7, "Take it out.")
    (run,) = json.loads(lint_sarif([finding]))["runs"]
    (result,) = run["results"]
    assert result["ruleId"] == "secret"
    assert result["message"]["text"] == "A key stands here. Take it out."
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]) == (
        "prompts/a%20b/prompt.j2",
        {"startLine": 3, "startColumn": 7},
    )
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [rule.id for rule in RULES]
    assert run["tool"]["driver"]["rules"][5]["help"]["text"].endswith("lint-rules.md#secret")
