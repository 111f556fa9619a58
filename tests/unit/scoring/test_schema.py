import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.schema import problems, validator

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"name": "Ada", "age": 3}, []),
        ({"age": 3}, ["/: 'name' is a required property"]),
        ({"name": "ada"}, ["/name: 'ada' does not match '^[A-Z]'"]),
        ({"name": "Ada", "mood": 1}, ["/: unexpected: 'mood'"]),
        ({"name": "Ada", "age": -1}, ["/age: -1 is less than the minimum of 0"]),
        ([], ["/: [] is not of type 'object'"]),
    ],
)
def test_problems_have_their_place(value: object, told: list[str]) -> None:
    assert problems(validator(PERSON), value) == told


def test_problems_are_bounded_in_number_and_length() -> None:
    found = problems(validator({"items": {"type": "string"}}), [[1] * 1000] * 100)
    assert len(found) == 5
    assert all(len(each) < 230 for each in found)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strin"}, "is not a JSON Schema: .*strin"),
        ({"$ref": "https://example.test/schema.json"}, "refers to 'https://example.test/schema.json'"),
        (
            {"properties": {"a": {"items": [{"$ref": "other.json#/x"}]}}, "$schema": "http://json-schema.org/draft-07/schema#"},
            "other",
        ),
        ({"pattern": "("}, r"has the pattern '\(', which is not a valid regular expression: missing \) at character 2"),
        ({"patternProperties": {"[": {}}}, "expression|JSON Schema"),
        ({"$schema": "https://example.test/mine"}, "dialect that is not known"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "cannot be bounded"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validator(schema)


def test_references_inside_the_schema_are_followed() -> None:
    tree = {"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"}
    assert problems(validator(tree), {"next": {"next": {}}}) == []
    assert problems(validator(tree), {"next": {"next": 3}}) == ["/next/next: 3 is not of type 'object'"]


def test_a_reference_to_nothing_is_told() -> None:
    with pytest.raises(ValueError, match="the schema has no '#/\\$defs/gone'"):
        problems(validator({"$ref": "#/$defs/gone"}), 1)


def test_older_dialects_keep_their_meaning() -> None:
    draft4 = {"$schema": "http://json-schema.org/draft-04/schema#", "maximum": 3, "exclusiveMaximum": True}
    assert problems(validator(draft4), 3)
    assert not problems(validator({"maximum": 3}), 3)


def test_a_pattern_may_name_a_property_of_unicode() -> None:
    letters = validator({"pattern": r"^\p{L}+$", "patternProperties": {r"\p{Lu}": {}}})
    assert problems(letters, "Łódź") == []
    assert problems(letters, "Łódź 2") == [r"/: 'Łódź 2' does not match '^\\p{L}+$'"]


@pytest.mark.usefixtures("ends")
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^(a|aa)+$"}, "a" * 80 + "!"),
        ({"patternProperties": {"^(a|aa)+$": {}}}, {"a" * 80 + "!": 1}),
        ({"patternProperties": {"^(a|aa)+$": {}}, "additionalProperties": False}, {"a" * 80 + "!": 1}),
        ({"items": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, "type": "array"}, eval("[" * 40 + "1" + "]" * 40)),
    ],
)
def test_a_hostile_value_cannot_hang_the_validation(
    schema: dict[str, object], value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmops.scoring.schema.TIMEOUT_S", 0.2)
    with pytest.raises(TimeoutError):
        problems(validator(schema), value)


@pytest.mark.usefixtures("ends")
def test_uniqueness_is_checked_in_one_pass() -> None:
    unique = validator({"uniqueItems": True})
    mixed = [item for number in range(20_000) for item in (number, str(number), [number])]
    assert problems(unique, mixed) == []  # each beside each would be 1.8 billion comparisons
    assert problems(unique, [1, 1.0])
    assert problems(unique, [{"a": 1, "b": 2}, {"b": 2, "a": 1}])
    assert not problems(unique, [1, True, "1"])


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["name", "age", "x", "y1"]), below, max_size=3),
    max_leaves=6,
)


@given(values)
def test_verdicts_are_those_of_jsonschema(value: object) -> None:
    import jsonschema

    schema = {
        "$defs": {
            "part": {"additionalProperties": {"type": ["integer", "string"]}, "patternProperties": {"^y": {"type": "null"}}}
        },
        "anyOf": [PERSON, {"type": "array", "uniqueItems": True}, {"type": "object", "$ref": "#/$defs/part"}],
    }
    assert (problems(validator(schema), value) == []) == jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("step", "value", "fits"),
    [
        (0.01, 19.99, True),
        (0.01, 0.07, True),
        (0.01, 4.355, False),
        (0.1, 1e300, True),
        (3, 9, True),
        (3, 10, False),
        (2, 3.0, False),
        (0.5, math.inf, False),
        (math.inf, 3, False),
        (0.5, 10**400, True),
        (1, True, True),
    ],
)
def test_multiples_are_told_in_decimal(step: float, value: float, fits: bool) -> None:
    assert problems(validator({"multipleOf": step}), value) == ([] if fits else [f"/: {value} is not a multiple of {step}"])
