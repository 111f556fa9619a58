"""Changing values of a YAML file in place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.errors import InvalidFiles
from llmops.settings.editing import with_values
from llmops.settings.positions import parse_yaml

TEXT = """# a project
routes:   # policies
  flow: {kind: canary, models: [a, b], percent: 5}  # five
  block:
    kind: canary
    # how many
    percent: 5   # of a hundred
    models:
      - a
      - b   # the new one
  # the last words
store: sqlite:///x.db
"""


def changed(path: tuple[str, ...], **values: object) -> str:
    return with_values(TEXT, "llmops.yaml", path, values)


def test_a_value_of_a_flow_mapping() -> None:
    assert changed(("routes", "flow"), percent=25) == TEXT.replace("percent: 5}", "percent: 25}")


def test_a_value_of_a_block_mapping_keeps_its_comment() -> None:
    assert changed(("routes", "block"), percent=25) == TEXT.replace("percent: 5 ", "percent: 25 ")


def test_a_new_key() -> None:
    assert changed(("routes", "flow"), since="2026-01-01") == TEXT.replace("percent: 5}", "percent: 5, since: '2026-01-01'}")
    assert "  block:\n    since: '2026-01-01'\n    kind: canary\n" in changed(("routes", "block"), since="2026-01-01")


def test_a_collection_gives_way_without_the_comments_around_it() -> None:
    found = changed(("routes", "block"), models=["c", {"d": 1}])
    assert parse_yaml(found, "f")[0]["routes"]["block"]["models"] == ["c", {"d": 1}]
    for comment in ("# a project", "# policies", "# five", "# how many", "# of a hundred", "# the last words"):
        assert comment in found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: &x {percent: 5}\nb: *x\n", ("b",)),
        ("a: &x {percent: 5}\nb: {<<: *x, other: 1}\nc: *x\n", ("c",)),
        ("a: 1\n", ("a",)),
        ("a: 1\n", ("b",)),
        ("a: {}\n", ("a",)),
        ("", ("a",)),
    ],
)
def test_what_cannot_be_changed_in_place_is_said_so(text: str, path: tuple[str, ...]) -> None:
    with pytest.raises(InvalidFiles) as caught:
        with_values(text, "llmops.yaml", path, {"percent": 25})
    assert "percent: 25" in (caught.value.problems[0].hint or "")


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(
    plain,
    st.sampled_from([("routes", "flow"), ("routes", "block"), ("routes",), ()]),
    st.sampled_from(["percent", "models", "new"]),
)
def test_only_that_value_changes(value: Any, path: tuple[str, ...], key: str) -> None:  # noqa: ANN401
    expected = parse_yaml(TEXT, "f")[0]
    inner = expected
    for part in path:
        inner = inner[part]
    inner[key] = value
    assert parse_yaml(with_values(TEXT, "f", path, {key: value}), "f")[0] == expected
