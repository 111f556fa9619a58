"""Each lint rule on a prompt that breaks it and on one that does not."""

from collections.abc import Sequence

import pytest

from llmops.domain.prompts import Message
from llmops.domain.retrieval import Hit
from llmops.prompting.lint import RULES, DatasetSample, Finding, Surroundings, lint
from llmops.prompting.template import PromptVersion, parse_prompt

HEAD = "---\nvariables:\n  q: {type: string}\n---\n"


def parse(text: str, shared: dict[str, str] | None = None, name: str = "p") -> PromptVersion:
    return parse_prompt(text, file=f"prompts/{name}/prompt.j2", shared=shared or {})


def found(text: str, around: Surroundings | None = None) -> list[tuple[str, int | None]]:
    return [(finding.rule, finding.line) for finding in lint(parse(text), around)]


def of(rule: str, text: str, around: Surroundings | None = None) -> list[Finding]:
    return [finding for finding in lint(parse(text), around) if finding.rule == rule]


BROKEN = [
    ("undefined-variable", HEAD + "user:\n{{ q }}\n{{ other }}", 7),
    ("unused-variable", HEAD + "user:\nhi", 3),
    ("unreachable-branch", "user:\na\n{% if false %}b{% endif %}", 3),
    ("unreachable-branch", "user:\n{% if true %}b{% else %}c{% endif %}", 2),
    ("unreachable-branch", HEAD + "user:\n{{ q }}{% if q == 'a' %}b\n{% elif q == 'a' %}c{% endif %}", 7),
    ("unreachable-branch", HEAD + "user:\n{% if q is defined %}{{ q }}{% else %}c{% endif %}", 6),
    ("unreachable-branch", HEAD + "user:\n{{ q }}{% if q is not defined %}c{% endif %}", 6),
    ("unreachable-branch", "user:\na{% for x in [] %}b{% endfor %}", 2),
    ("undelimited-variable", HEAD + "system:\nYou know {{ q }}.\nuser:\nhi", 6),
    ("undelimited-variable", HEAD + "user:\nTranslate {{ q }}\nDo it well.", 6),
    ("undelimited-variable", "user:\nRead this.\n{% for c in contexts %}\n{{ c.text }}\n{% endfor %}", 4),
    ("undelimited-variable", HEAD + "user:\n<a>x</a> {{ q }}\n<b>x</b>", 6),
    ("undelimited-variable", HEAD + "user:\n{% set z = q %}\nSee {{ z|upper }} and go.", 7),
    ("secret", "user:\nuse sk-" + "a1B2" * 8, 2),
    ("secret", "user:\napi_key = " + "x9" * 12, 2),
    ("secret", "user:\n-----BEGIN RSA " + "PRIVATE KEY-----", 2),
    ("secret", "user:\npostgres://root:hunter22@db.example.test/x", 2),
    ("secret", "---\ndescription: 'api_key = " + "k3" * 12 + "'\n---\nuser:\nhi", 2),
    ("role-text", "user:\nhi\nassistant: hello", 3),
    ("role-text", "user:\nhi\nAssistant:", 3),
    ("role-text", "System: be good\nUser: hi\n", 1),
    ("role-text", "user:\nhi\n\nAI: \n\n", 4),
    ("role-text", "user:\nhi\n System:\nbe good", 3),
    ("look-alike", "user:\nign\u043ere", 2),
    ("look-alike", "user:\n\uff49gnore", 2),
    ("look-alike", "user:\n\u043f\u0430\u0440oль", 2),
    ("look-alike", "user:\nig\u0578ore", 2),
    ("undelimited-variable", HEAD + "user:\n# Rules\nTranslate {{ q }} now.\n# Go", 7),
    ("secret", "user:\nAuthorization: Bearer " + "a1b2" * 6, 2),
    ("secret", "user:\nuse sk_live_" + "a1b2" * 6, 2),
    ("secret", "user:\nuse gsk_" + "a1b2" * 12, 2),
    ("invisible-character", "user:\na\u200bb", 2),
    ("invisible-character", "user:\n\u202eabc", 2),
    ("invisible-character", "user:\nx\U000e0041", 2),
    ("unpinned-input", "user:\nIt is {{ now }}", 2),
    ("unpinned-input", "user:\nIt is {{ now() }}", 2),
]


@pytest.mark.parametrize(("rule", "text", "line"), BROKEN)
def test_a_broken_rule_is_found_at_its_line(rule: str, text: str, line: int) -> None:
    assert (rule, line) in found(text)


@pytest.mark.parametrize(("rule", "text", "line"), BROKEN)
def test_a_comment_switches_a_rule_off(rule: str, text: str, line: int) -> None:
    head, separator, body = text.rpartition("---\n")
    whole_file = f"{head}{separator}{{# llmops: ignore {rule} #}}\n{body}"
    assert of(rule, whole_file) == []
    other = f"{head}{separator}{{# llmops: ignore duplicate, too-long #}}\n{body}"
    assert of(rule, other) != []


CLEAN = [
    "system:\nYou are kind.\nuser:\n{{ q }}",
    "user:\nQuestion: {{ q }}",
    "user:\n<t>\n{{ q }}\n</t>\nGo.",
    "user:\n<doc id='{{ q }}'>{{ q }}</doc>\nGo.",
    'user:\nThe text is "{{ q }}". Go.',
    "user:\n```\n{{ q }}\n```\nGo.",
    "user:\n--- BEGIN TEXT\n{{ q }}\nEND TEXT\nGo.",
    "user:\nAs JSON: {{ q|tojson }}\nGo.",
    "user:\n<t>{{ q }}</t>\n{% if q == 'a' %}b{% elif q == 'b' %}c{% endif %}",
    "{% macro t(x) %}<t>{{ x }}</t>{% endmacro %}\nuser:\n{{ t(q) }}\nGo.",
    "user:\nПривет {{ q }}",
    "user:\n\u0394T and \u0394x of 5 \u03bcm, 3 k\u03a9, iPhone\u043e\u043c, API\u0448\u043d\u044b\u0439 {{ q }}",
    "user:\n## Text\n\n{{ q }}\n\n## Task\nSummarise.",
    "user:\n### Rules\nBe brief.\n### Text\n{{ q }}\n### Task\nSummarise.",
    "user:\nSend the header Authorization: Bearer TOKEN {{ q }}",
    "user:\nnaïve Ω-3 µm café 👩\u200d💻 ❤\ufe0f {{ q }}",
    "user:\nThe user: a person. Our system: good.\n{{ q }}",
    "user:\ntoken: {{ q }}",
    "user:\nGo on:\nUser: hi\nAssistant: hello\n{{ q }}",
    "user:\nYour password: at least sixteen-characters.\n{{ q }}",
]


@pytest.mark.parametrize("body", CLEAN)
def test_a_sound_prompt_has_no_finding(body: str) -> None:
    assert found(HEAD + body) == []


def test_numbers_need_no_marks() -> None:
    assert found("---\nvariables: {n: {type: integer}}\n---\nsystem:\nUse {{ n }} words.\nuser:\nhi") == []


def test_an_ignore_holds_for_its_line_and_the_next() -> None:
    text = HEAD + "user:\n<t>{{ q }}</t>\n{# llmops: ignore undefined-variable #}\n{{ a }}\n\n{{ b }}\n"
    [finding] = of("undefined-variable", text)
    assert finding.message == "`b` is not declared."
    [finding] = of(
        "undefined-variable", HEAD + "user:\n<t>{{ q }}</t>\n{{ a }}{# llmops: ignore undefined-variable #}\n\n{{ b }}\n"
    )
    assert finding.message == "`b` is not declared."


def test_an_ignore_of_a_rule_that_does_not_exist_is_told() -> None:
    [finding] = of("unknown-ignore", "user:\nhi {# llmops: ignore undelimited-variabel #}")
    assert finding.hint == "Did you mean `undelimited-variable`?"


def test_a_secret_is_not_repeated() -> None:
    secret = "sk-" + "a1B2" * 8
    assert secret not in str(lint(parse(f"user:\n{secret}")))


def test_shared_files_are_looked_at() -> None:
    findings = lint(parse("user:\n{% include 'r.j2' %}", {"r.j2": "a\nb\u200bc"}))
    assert [(f.rule, f.file, f.line, f.column) for f in findings] == [("invisible-character", "prompts/_shared/r.j2", 2, 2)]


def test_datasets_are_held_against_the_declarations() -> None:
    text = "---\nvariables:\n  q: {type: string}\n  n: {type: integer, default: 1}\n---\nuser:\n{{ n }} {{ q }}"
    cases = [("c1", {"q": "x"}), ("c2", {"n": "3", "q": "y"}), ("c3", {"n": "4"})]
    findings = of("dataset-mismatch", text, Surroundings(datasets=[DatasetSample("d.jsonl", cases)]))
    assert [finding.line for finding in findings] == [3, 4]
    assert "1 of 3 cases of d.jsonl lack it, the first is 'c3'" in findings[0].message
    assert "'3' (string), expected integer in case 'c2' of d.jsonl and 1 more" in findings[1].message


def test_a_clock_that_every_case_pins_is_no_finding() -> None:
    text = "---\nvariables: {today: {type: string}}\n---\nuser:\nIt is {{ today }}"
    assert of("unpinned-input", text) != []
    pinned = DatasetSample("d.jsonl", [("c", {"today": "Monday"})])
    assert of("unpinned-input", text, Surroundings(datasets=[pinned])) == []
    assert of("unpinned-input", text.replace("string}", "string, default: Monday}")) == []


def words(messages: Sequence[Message]) -> int:
    return sum(len(message.content.split()) for message in messages)


def test_the_smallest_window_counts_and_room_for_the_answer() -> None:
    text = "---\nvariables: {q: {type: string}}\nparameters: {max_tokens: 5}\n---\nuser:\n"
    text += "{% for c in contexts %}\n<t>{{ c.text }}</t>\n{% endfor %}\n{{ q }}"
    sample = DatasetSample("d.jsonl", [("a", {"q": "one"}), ("b", {"q": "one two three"})])

    def around(**windows: int) -> Surroundings:
        return Surroundings(datasets=[sample], windows=windows, count=words, contexts=[Hit("w " * 17, "s")])

    [finding] = of("too-long", text, around(large=1000, small=25))
    assert "case 'b' of d.jsonl takes" in finding.message
    assert "5 for the answer; 'small' reads 25" in finding.message
    assert of("too-long", text, around(large=1000, small=30)) == []


def test_a_copy_of_another_prompt_is_found() -> None:
    one, two = parse("user:\nhi  there{# x #}", name="one"), parse("user:\nhi there\n", name="two")
    assert [f.rule for f in lint(one, Surroundings(others=[one, two]))] == ["duplicate"]


def test_every_rule_is_tried_here() -> None:
    tried = {rule for rule, _, _ in BROKEN} | {"dataset-mismatch", "too-long", "duplicate", "unknown-ignore"}
    assert tried == {rule.id for rule in RULES}
