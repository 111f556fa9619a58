import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.json_text import NotJson, only_object, parse_json, pointed, pointed_places, pointed_text

words = st.text(st.characters(exclude_characters="{"), max_size=30)
scalars = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
)
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=6,
)


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


@given(words, words, st.dictionaries(st.text(), st.text()))
def test_an_object_is_found_whatever_words_and_fences_are_around_it(before: str, after: str, value: dict[str, str]) -> None:
    assert only_object(f"{before}```json\n{json.dumps(value, ensure_ascii=False)}\n```{after}") == value


@pytest.mark.usefixtures("ends")
def test_a_hostile_reply_cannot_hang_the_search_for_an_object() -> None:
    for text in ("{" * 1_000_000, '{"a":' * 200_000, '{"a":' * 900 + "[" + "1," * 400_000):
        with pytest.raises(NotJson):
            only_object(text)


@given(values)
def test_json_round_trip(value: object) -> None:
    parsed = parse_json(f"```json\n{json.dumps(value, indent=1)}\n```")
    assert parsed == value or (isinstance(value, float) and math.isclose(parsed, value))


DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, " ": 7, "m~n": 8, "none": None, "~1": 9}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/ ", 7), ("/m~0n", 8), ("/~01", 9)],
)
def test_a_pointer_names_what_rfc_6901_says(pointer: str, value: object) -> None:
    assert pointed(DOCUMENT, pointer) == value


@pytest.mark.parametrize("pointer", ["/bar", "/foo/2", "/foo/-", "/foo/01", "/foo/0/x", "/foo/\u0663", "/none", "/a/b"])
def test_a_pointer_to_nothing_is_told(pointer: str) -> None:
    with pytest.raises(LookupError):
        pointed_text(json.dumps(DOCUMENT), pointer)


def test_a_text_is_given_as_it_is_and_any_other_value_as_json() -> None:
    answer = '```json\n{"a": "caf\\u00e9", "b": [1, "caf\\u00e9"], "c": true}\n```'
    assert [pointed_text(answer, each) for each in ("/a", "/b", "/c")] == ["café", '[1, "café"]', "true"]


@given(st.recursive(st.text(), lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(), inner, min_size=1)))
def test_each_text_of_a_document_has_its_pointer(document: object) -> None:
    pointer, value = "", document
    while not isinstance(value, str):
        key = 0 if isinstance(value, list) else next(iter(value))  # type: ignore[call-overload]
        pointer += "/" + str(key).replace("~", "~0").replace("/", "~1")
        value = value[key]  # type: ignore[index]
    if pointer:
        assert pointed_text(json.dumps(document), pointer) == value
        for written in (json.dumps(document), f"So:\n```json\n{json.dumps(document, indent=1, ensure_ascii=False)}\n```"):
            stands_where_it_is_written(written, pointer, value)


def stands_where_it_is_written(text: str, pointer: str, value: str) -> None:
    places = pointed_places(text, pointer)
    assert [json.loads(f'"{text[start:end]}"') for start, end in pairwise(places)] == list(value)


def test_the_place_of_a_value_is_its_own() -> None:
    answer = '{"a": ["b", {"c": "mail"}], "b": "mail", "n": [1, 2], "m": [1,2]}'
    assert pointed_places(answer, "/b")[0] == answer.rindex("mail")
    assert pointed_places(answer, "/a/1/c")[0] == answer.index("mail")
    assert pointed_places(answer, "/n") == list(range(answer.index("[1, 2]"), answer.index("[1, 2]") + 7))
    assert pointed_places(answer, "/m") == []
