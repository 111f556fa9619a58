"""Comparing two versions."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.models import Price
from llmops.domain.prompts import Message
from llmops.prompting.diff import Words, cost_deltas, diff_versions
from llmops.prompting.template import PromptVersion, parse_prompt


def parse(text: str, shared: dict[str, str] | None = None) -> PromptVersion:
    return parse_prompt(text, file="prompts/p/prompt.j2", shared=shared or {})


def test_changed_words_are_marked() -> None:
    [message] = diff_versions(parse("user:\nBe very kind.\nBye.\n"), parse("user:\nBe quite kind.\nBye.\n")).messages
    [hunk] = message.hunks
    assert [(line.mark, line.text) for line in hunk.lines] == [("-", "Be very kind."), ("+", "Be quite kind."), (" ", "Bye.")]
    assert hunk.lines[0].words == (Words("Be ", False), Words("very", True), Words(" kind.", False))
    assert (hunk.before_line, hunk.after_line) == (2, 2)


def test_neighbouring_words_that_changed_are_one_stretch() -> None:
    [message] = diff_versions(parse("user:\nUse one to three lines."), parse("user:\nUse one or two lines.")).messages
    [old, new] = [line.words for line in message.hunks[0].lines]
    assert old == (Words("Use one ", False), Words("to three", True), Words(" lines.", False))
    assert new == (Words("Use one ", False), Words("or two", True), Words(" lines.", False))


def test_messages_that_come_and_go_are_shown_by_role() -> None:
    diff = diff_versions(parse("system:\na\nuser:\nb\n"), parse("user:\nb\nassistant:\nc\n"))
    assert [(m.before_role, m.after_role, len(m.hunks)) for m in diff.messages] == [
        ("system", None, 1),
        ("user", "user", 0),
        (None, "assistant", 1),
    ]


def test_variables_parameters_and_shared_files() -> None:
    before = parse(
        "---\ndescription: a\nvariables: {x: {type: string}, y: {}}\nparameters: {top_p: 1}\n---\n"
        "user:\n{{ x }}{{ y }}{% include 'r' %}",
        {"r": "1"},
    )
    after = parse(
        "---\ndescription: b\nvariables: {x: {type: integer}, z: {}}\nparameters: {top_p: 2, seed: null}\n---\n"
        "user:\n{{ x }}{{ z }}{% include 'r' %}",
        {"r": "2"},
    )
    diff = diff_versions(before, after)
    changes = {change.name: (change.before is None, change.after is None) for change in diff.variables}
    assert changes == {"x": (False, False), "y": (False, True), "z": (True, False)}
    assert [(p.name, p.before, p.after) for p in diff.parameters] == [("seed", None, None), ("top_p", 1, 2)]
    [_, shared] = diff.messages
    assert shared.after_role == "prompts/_shared/r"
    assert [(line.mark, line.text) for line in shared.hunks[0].lines] == [("-", "1"), ("+", "2")]
    assert diff.description == ("a", "b")
    assert diff.bump == "major"


def test_equal_versions_have_no_difference() -> None:
    diff = diff_versions(parse("user:\na\n"), parse("user:\na\r\n"))
    assert diff.bump is None
    assert diff.messages[0].hunks == ()


LINES = st.lists(st.sampled_from(["a b", "a c", "x", "", "long line of words"]), min_size=1, max_size=12)


@given(LINES, LINES)
def test_a_diff_holds_both_texts(one: list[str], two: list[str]) -> None:
    before, after = parse("user:\n.\n" + "\n".join(one)), parse("user:\n.\n" + "\n".join(two))
    [message] = diff_versions(before, after).messages
    removed = [line.text for hunk in message.hunks for line in hunk.lines if line.mark == "-"]
    added = [line.text for hunk in message.hunks for line in hunk.lines if line.mark == "+"]
    rest_before, rest_after = before.text.split("\n")[1:], after.text.split("\n")[1:]
    for text in removed:
        rest_before.remove(text)
    for text in added:
        rest_after.remove(text)
    assert sorted(filter(None, rest_before)) == sorted(filter(None, rest_after))


def words(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


def test_cost_is_measured_on_the_values_that_both_can_render() -> None:
    before, after = parse("user:\n{{ q }}"), parse("user:\nplease answer {{ q }}")
    inputs = [({"q": "one two"}, ()), ({"q": "three"}, ()), ({}, ())]
    counters = {"hosted": words, "unpriced": words, "machine": words}
    prices = {"hosted": Price(2.0, 8.0), "unpriced": None, "machine": Price(usd_per_hour=1.0)}
    hosted, unpriced, machine = cost_deltas(before, after, inputs, counters, prices)
    assert (hosted.cases, hosted.skipped) == (2, 1)
    assert (hosted.before_tokens, hosted.after_tokens) == (1.5, 3.5)
    assert hosted.before_usd_per_1000 == pytest.approx(1.5 * 1000 * 2 / 1e6)
    assert hosted.after_usd_per_1000 == pytest.approx(3.5 * 1000 * 2 / 1e6)
    assert unpriced.after_tokens == 3.5
    assert unpriced.after_usd_per_1000 is None
    assert machine.after_usd_per_1000 is None
    assert cost_deltas(before, after, [], counters, prices)[0].before_tokens is None
