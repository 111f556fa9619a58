"""Which part of the version a change raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.prompting.semver import SemVer, needed_bump
from llmops.prompting.template import PromptVersion, parse_prompt

TYPES = ["string", "integer", "number", "boolean", "array", "object"]
INTERFACES = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.sampled_from(TYPES), st.booleans()), max_size=4)


def version(
    interface: dict[str, tuple[str, bool]],
    text: str = "Hello.",
    parameters: dict[str, Any] | None = None,
    description: str = "d",
) -> PromptVersion:
    variables = {name: {"type": kind, "required": required} for name, (kind, required) in interface.items()}
    front = f"description: {description}\nvariables: {variables}\nparameters: {parameters or {}}\n"
    return parse_prompt(f"---\n{front}---\nuser:\n{text}\n", file="prompts/p/prompt.j2", shared={})


@given(INTERFACES, INTERFACES)
def test_an_interface_change_is_major_exactly_when_callers_must_act(
    one: dict[str, tuple[str, bool]], two: dict[str, tuple[str, bool]]
) -> None:
    appeared = any(required and not (name in one and one[name][1]) for name, (_, required) in two.items())
    gone = any(required and name not in two for name, (_, required) in one.items())
    retyped = any(required and name in two and two[name][0] != kind for name, (kind, required) in one.items())
    bump = needed_bump(version(one), version(two))
    if one == two:
        assert bump in (None, "patch")
    else:
        assert bump == ("major" if appeared or gone or retyped else "minor")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Hello.", "Hello.", None),
        ("Hello.", "Hello!", "minor"),
        ("Hello.", "Hello.  \n\n", "patch"),
        ("Hello, you.", "Hello,\n  you.", "patch"),
        ("Hello.", "Hello.{# a note #}", "patch"),
        ("{{a}}", "{{ a }}", "patch"),
        ("not able", "notable", "minor"),
        ("Hello.", "Hello {{ new }}.", "major"),
        ("{{ a }} {{ b }}", "{{ a }}", "major"),
        ("a\nassistant:\nb", "a\nuser:\nb", "minor"),
        ("{% if a %}x{% endif %}", "{% if a %}y{% endif %}", "minor"),
    ],
)
def test_text_changes(old: str, new: str, expected: str | None) -> None:
    assert needed_bump(version({}, old), version({}, new)) == expected


def test_parameters_descriptions_and_the_output_contract() -> None:
    base = version({})
    assert needed_bump(base, version({}, parameters={"temperature": 1})) == "minor"
    assert needed_bump(base, version({}, description="other")) == "patch"
    assert needed_bump(base, version({}, parameters={"response_format": {"type": "json_object"}})) == "major"


def test_a_change_of_a_shared_file_counts() -> None:
    def using(rules: str) -> PromptVersion:
        return parse_prompt("user:\n{% include 'r.j2' %}\n", file="prompts/p/prompt.j2", shared={"r.j2": rules})

    assert needed_bump(using("Be kind."), using("Be brief.")) == "minor"
    assert needed_bump(using("Be kind."), using("Be   kind.{# x #}")) == "patch"


def test_versions_are_ordered_by_number_and_raised() -> None:
    assert SemVer.parse("1.10.0") > SemVer.parse("1.9.9")  # type: ignore[operator]
    assert SemVer.parse("1.2") is None
    assert SemVer.parse("01.2.3") is None
    assert [str(SemVer(1, 2, 3).raised(part)) for part in ("major", "minor", "patch")] == ["2.0.0", "1.3.0", "1.2.4"]
