"""A suite is read strictly: every problem is told, with its place and the nearest valid name."""

from pathlib import Path

import pytest

from llmops.domain.errors import InvalidFiles
from llmops.settings.suite import Suite, load_suite

HEAD = "dataset: d.jsonl\nprompts: [p]\ntargets: [t]\nevaluators: [latency]\n"


def load(folder: Path, text: str) -> Suite:
    path = folder / "s.yaml"
    path.write_text(text)
    return load_suite(path, folder)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(InvalidFiles) as caught:
        load(folder, text)
    return [f"{p.line} {p.key} {p.message} {p.hint or ''}".strip() for p in caught.value.problems]


def test_an_evaluator_is_a_name_or_a_name_with_options(tmp_path: Path) -> None:
    text = HEAD.replace(
        "[latency]", "[latency, {contains: {any: expected, name: facts, negate: true, max: 0.5}}, {python: e.py:f}]"
    )
    latency, contains, python = load(tmp_path, text).evaluators
    assert (latency.kind, latency.name, latency.options) == ("latency", "latency", {})
    assert (contains.name, contains.options, contains.common.negate, contains.common.max) == (
        "facts",
        {"any": "expected"},
        True,
        0.5,
    )
    assert python.options == {"function": "e.py:f"}


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, HEAD + "repeet: 2\nmin_coverage: 2\ngate:\n  - {metric: a.b}\n")
    assert len(found) == 3
    assert "5 repeet unknown key. Did you mean `repeat`?" in found
    assert any(each.startswith("6 min_coverage") for each in found)
    assert any("needs one condition" in each for each in found)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("dataset:", "tests:", "1 tests unknown key. Did you mean `dataset`?"),
        ("targets:", "providers:", "3 providers unknown key. Did you mean `targets`?"),
        ("targets:", "models:", "3 models unknown key. Did you mean `targets`?"),
        ("evaluators:", "assert:", "4 assert unknown key. Did you mean `evaluators`?"),
        ("[p]", "p", "2 prompts should be a list; found 'p'. Did you mean `[\"p\"]`?"),
        ("[latency]", "[{type: contains, value: x}]", "4 evaluators[0] has the keys type, value; one `kind: {options}` was "),
        ("[latency]", "[latency]\nzzz: 1", "`repeat`, `targets`."),
    ],
)
def test_what_a_user_of_another_tool_writes_is_told_in_our_words(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert told in "\n".join(problems(tmp_path, HEAD.replace(before, after)))


def test_a_message_that_asks_ends_with_its_question_mark(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, HEAD + "gate: [{metric: latency.mean, non_inferior_to: baseline}]\n")
    assert told.endswith("still no loss?")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{min: 0.5}", "needs `metric`"),
        ("{metric: contains.pass_rate, min: 0.5, non_inferior_to: baseline, margin: 0.1}", "needs one condition"),
        ("{metric: contains.pass_rate, non_inferior_to: baseline}", "needs a `margin` above 0"),
        ("{no_new_failures: {}, min: 0.5}", "stands alone"),
        ("{no_new_failures: {}, margin: 0.1}", "stands alone"),
        ("{no_failures: {}, no_new_failures: {}}", "`no_failures` stands alone"),
        ("{no_failures: {}, metric: contains.pass_rate}", "`no_failures` stands alone"),
        ("{metric: contains.pass_rate, min: 0.9, margin: 0.1}", "`margin` belongs to"),
        ("{metric: contains.pass_rate, max: 0.9, margin: 0.1}", "`margin` belongs to"),
        (
            "{metric: contains, min: 0.5}",
            "metric should be `EVALUATOR.FIGURE`, such as `contains.pass_rate`; found 'contains'.",
        ),
        ("{metric: contains.pass_rate, min: .nan}", "min"),
        ("{metric: contains.pass_rate, min: 0.5, confidence: 0.4}", "confidence"),
    ],
)
def test_a_rule_that_says_nothing_or_two_things_is_refused(tmp_path: Path, rule: str, told: str) -> None:
    (found,) = problems(tmp_path, f"{HEAD}gate:\n  - {rule}\n")
    assert told in found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD.replace("targets: [t]\n", ""), "needs both `prompts` and `targets`"),
        (HEAD.replace("[t]", "[t, t]"), "names the same thing twice"),
        (HEAD.replace("[latency]", "[latency, latency]"), "stands twice"),
        (HEAD.replace("[latency]", "[{latency: {}, cost: {}}]"), "has the keys latency, cost"),
        (HEAD.replace("[latency]", "[{}]"), "is empty; one `kind: {options}` was expected."),
        (HEAD.replace("[latency]", "[]"), "evaluators"),
        (HEAD.replace("d.jsonl", "../d.jsonl"), "inside the project"),
        (HEAD.replace("d.jsonl", "/d.jsonl"), "inside the project"),
        ("", "is empty"),
        ("[1]", "holds a list of 1"),
    ],
)
def test_a_suite_that_is_no_suite_is_refused(tmp_path: Path, text: str, told: str) -> None:
    assert any(told in each for each in problems(tmp_path, text))
