"""YAML comes with the place of every key, and what is more than plain data is refused."""

from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.errors import InvalidFiles
from llmops.settings.positions import Path, parse_yaml

Data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("abcdef", min_size=1), below, max_size=3),
    max_leaves=8,
)


def paths(data: object, path: Path = ()) -> list[Path]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(found for key, value in items for found in paths(value, (*path, key)))]


@given(Data)
def test_plain_data_comes_back_and_every_path_has_a_place(data: object) -> None:
    text = yaml.safe_dump(data)
    parsed, positions = parse_yaml(text, "f.yaml")
    assert parsed == data
    for path in paths(data):
        line, column = positions.of(path)
        assert line is not None
        assert column is not None
        assert 1 <= line <= text.count("\n") + 1
        if path and isinstance(path[-1], str) and path[-1] not in ("y", "n"):
            assert text.splitlines()[line - 1][column - 1 :].lstrip("'\"? ").startswith(path[-1])


def test_an_unknown_path_has_the_place_of_what_it_stands_in() -> None:
    _, positions = parse_yaml("a:\n  b: 1\n", "f.yaml")
    assert positions.of(("a", "missing")) == (1, 1)
    told = positions.problem(("a", "b"), "is wrong.")
    assert (told.line, told.column, told.key) == (2, 3, "a.b")


def test_front_matter_counts_lines_of_its_file() -> None:
    _, positions = parse_yaml("a: 1\n", "f.j2", first_line=2)
    assert positions.of(("a",)) == (2, 1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: [1,\n", "is not valid YAML"),
        ("a: 1\na: 2\n", "stands twice; the first is in line 1."),
        ("a: !!python/object/apply:os.system [id]\n", "is not valid YAML"),
        ("a: &x [*x]\n", "alias to itself"),
        ("a: &x 1\nb: [" + "*x, " * 101 + "]\n", "101 YAML aliases"),
        ("[" * 100_000, "f.yaml:1: is nested deeper than 200 levels"),
        ("- " * 100_000, "f.yaml:1: is nested deeper than 200 levels"),
        ("\n".join(f"{' ' * n}a:" for n in range(300)), "f.yaml:201: is nested deeper than 200 levels"),
    ],
)
def test_what_is_no_plain_data_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidFiles, match=told):
        parse_yaml(text, "f.yaml")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a:\n\t- b\n", "Indent by spaces: YAML takes no tabs."),
        ("ü: '\u2028\U0001f600'\nb: @x\n", "Put a text that begins with '@' in quotes."),
        ("a: `x`\n", "Put a text that begins with '`' in quotes."),
        ("a: the price: high\n", "Put a text that holds a colon in quotes, or look at the indentation."),
        ("a: {any: {{ expected }}}\n", "Put a text that begins with a brace in quotes."),
        ('a: "\\d+"\n', "In single quotes a backslash is a backslash."),
    ],
)
def test_what_newcomers_to_yaml_write_is_refused_with_the_next_step(text: str, hint: str) -> None:
    with pytest.raises(InvalidFiles) as refused:
        parse_yaml(text, "f.yaml")
    assert refused.value.problems[0].hint == hint


@given(st.text(alphabet="ab:-{}[]'\"\\`@%*&!|>#? \t\n\r\x85\u2028ü\U0001f600"))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidFiles):
        parse_yaml(text, "f.yaml")


def test_dates_stay_text() -> None:
    assert parse_yaml("version: 2026-01-01\n", "f.yaml")[0] == {"version": "2026-01-01"}
