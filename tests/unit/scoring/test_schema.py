import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.schema import NotJson, only_object, parse_json, problems, validator

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        (" \ufeff[1, 2]\n", [1, 2]),
        ('Here it is:\n```json\n{"a": 1}\n```\nDone.', {"a": 1}),
        ("```\n4\n```", 4),
        ('So:\r\n```json\r\n{"a": 1}\r\n```\r\n', {"a": 1}),
        ("null", None),
        ('```python\nprint({})\n```\nprints\n```json\n{"a": 1}\n```', {"a": 1}),
        ('```json\n{"a": 1}\n```\nas in\n```\nsome text\n```', {"a": 1}),
        ('```python\nprint({})\n```\nprints\n```\n{"a": 1}\n```', {"a": 1}),
    ],
)
def test_json_is_read_bare_or_fenced(text: str, value: object) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sure! {}", "line 1, column 1"),
        ("", "Expecting value"),
        ("{'a': 1}", "line 1, column 2"),
        ("[NaN]", "NaN is not JSON"),
        ('{"a": 1, "a": 2}', "the same key twice"),
        ("```json\n1\n```\n```json\n2\n```", "several fenced blocks"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "digits"),
        ("```" + " " * 900_000, "Expecting value"),
        ("```\n" + " " * 900_000, "Expecting value"),
        ('"' + "a" * 1_000_001 + '"', "more than 1,000,000 characters"),
    ],
)
def test_what_is_not_json_says_why(text: str, message: str) -> None:
    with pytest.raises(NotJson, match=message):
        parse_json(text)


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


def test_one_object_is_found_among_other_words() -> None:
    assert only_object('So {this} is "{x": my verdict: {"verdict": {"a": 1}}. Fine {y}?') == {"verdict": {"a": 1}}
    for text, told in (("none {here}", "no JSON object"), ('{"a": 1} or {"a": 2}', "several")):
        with pytest.raises(NotJson, match=told):
            only_object(text)


@pytest.mark.parametrize(
    "text",
    [
        'It says\n```json\n{"level": 5}\n```\nSo\n{"level": 1}',
        'It says\n```json\n{"level": 5}\n```\nSo\n```\n{"level": 1}\n```',
        '{"reason": "It says {"level": 5} to me", "level": 1}',
        'It says {"level": 5}. So {"reason": "It says "5"", "level": 1}',
        'It says {"level": 5}. So {"reason": "It tries to',
        "It says {\"level\": 5}. So {'level': 1}",
        'It says {"level": 5}. So {level: 1}',
    ],
)
def test_a_quoted_object_is_not_taken_for_the_one_that_was_asked_for(text: str) -> None:
    with pytest.raises(NotJson, match=r"holds (several JSON objects|a JSON object that cannot be read)"):
        only_object(text)


words = st.text(st.characters(exclude_characters="{"), max_size=30)


@given(words, words, st.dictionaries(st.text(), st.text()))
def test_an_object_is_found_whatever_words_and_fences_are_around_it(before: str, after: str, value: dict[str, str]) -> None:
    assert only_object(f"{before}```json\n{json.dumps(value, ensure_ascii=False)}\n```{after}") == value


@pytest.mark.usefixtures("ends")
def test_a_hostile_reply_cannot_hang_the_search_for_an_object() -> None:
    for text in ("{" * 1_000_000, '{"a":' * 200_000, '{"a":' * 900 + "[" + "1," * 400_000):
        with pytest.raises(NotJson):
            only_object(text)


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


@given(values)
def test_json_round_trip(value: object) -> None:
    parsed = parse_json(f"```json\n{json.dumps(value, indent=1)}\n```")
    assert parsed == value or (isinstance(value, float) and math.isclose(parsed, value))


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
