"""Parsing of prompt files."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.errors import InvalidFiles
from llmops.domain.prompts import Message
from llmops.prompting.template import PromptVersion, hash_of, parse_prompt
from llmops.prompting.variables import BadValue, Variable, from_text

FULL = """---
description: Answers.
variables:
  question: {type: string, description: What is asked.}
  tone: {type: string, default: calm}
  history: {type: messages, default: []}
parameters: {temperature: 0.2}
tags: [qa]
---
system:
Be {{ tone }}.
{{ messages(history) }}
user:
{{ question }}
"""


def parse(text: str, shared: dict[str, str] | None = None) -> PromptVersion:
    return parse_prompt(text, file="prompts/answer/prompt.j2", shared=shared or {})


def problems_of(text: str, shared: dict[str, str] | None = None) -> list[tuple[int | None, str]]:
    with pytest.raises(InvalidFiles) as caught:
        parse(text, shared)
    return [(problem.line, str(problem)) for problem in caught.value.problems]


def test_a_whole_prompt_file_is_read() -> None:
    version = parse(FULL)
    assert version.name == "answer"
    assert version.description == "Answers."
    assert version.parameters == {"temperature": 0.2}
    assert version.tags == ("qa",)
    assert version.variables["question"].required
    assert not version.variables["tone"].required
    assert version.used_variables == {"question", "tone", "history"}
    assert [(m.role, m.source, m.line) for m in version.messages] == [
        ("system", "Be {{ tone }}.\n", 11),
        ("messages", "history", 12),
        ("user", "{{ question }}", 14),
    ]


def test_text_without_role_lines_is_one_user_message() -> None:
    assert parse("Tell me about {{ topic }}.\n").render({"topic": "x"}) == (Message("user", "Tell me about x."),)


def test_an_escaped_role_line_is_text() -> None:
    rendered = parse("user:\nWrite\n\\system:\nand\n\\\\user:\n").render({})
    assert rendered == (Message("user", "Write\nsystem:\nand\n\\user:"),)


def test_a_role_needs_a_line_of_its_own_at_column_zero() -> None:
    text = "user:\n  system:\nthe user: said\nassistant: yes\n"
    assert parse(text).render({}) == (Message("user", "  system:\nthe user: said\nassistant: yes"),)


def test_a_role_line_in_a_comment_or_a_string_is_none() -> None:
    text = "user:\na{#\nsystem:\n#}b{{ 'x\nassistant:\n' }}c\n"
    assert parse(text).render({}) == (Message("user", "abx\nassistant:\nc"),)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("user:\nhi\n{% if x %}\nsystem:\nno\n{% endif %}\n", 4, "`system:` stands inside the `{% if %}` of line 3"),
        ("user:\n{% raw %}\nsystem:\n{% endraw %}\n", 3, "inside the `{% raw %}` of line 2"),
        ("user:\n{% set x %}\nsystem:\n{% endset %}\n", 3, "inside the `{% set %}` of line 2"),
        ("user:\n{% set x | indent(width=2) %}\nsystem:\n{% endset %}\n", 3, "inside the `{% set %}` of line 2"),
        ("Hello\nuser:\nhi\n", 1, "text stands before the first role line"),
        ("{{ x }}\nuser:\nhi\n", 1, "text stands before the first role line"),
        ("user:\n{{ x \n", 2, "unexpected"),
        ("user:\n\n{{ x | uper }}\n", 3, "Did you mean `upper`?"),
        ("user:\n{% if x %}{{ x | nope }}{% endif %}\n", 2, "no filter named 'nope'"),
        ("user:\n{% for hit in contexts %}\n{{ hit.content }}{% endfor %}\n", 3, "a passage has no 'content'"),
        ("user:\n{% for c in contexts %}{{ c['score'] | round }}{% endfor %}\n", 2, "a passage has no 'score'"),
        ("user:\n{{ x is evn }}\n", 2, "Did you mean `even`?"),
        ("user:\n{% include 'rulez.j2' %}\n", 2, "Did you mean `rules.j2`?"),
        ("user:\n{% include name %}\n", 2, "must be written out"),
        ("user:\n{% extends 'rules.j2' %}\n", 2, "has no meaning in a prompt"),
        ("user:\n{% for x in y recursive %}{% endfor %}\n", 2, "recursive loops"),
        ("user:\n{% include '../../secret' %}\n", 2, "there is no '../../secret'"),
        ("---\nvariables: {h: {type: messages}}\n---\nuser:\nso: {{ messages(h) }}\n", 5, "stands inside text or a block"),
        ("---\nvariables: {h: {type: messages}}\n---\n{% if h %}\n{{ messages(h) }}\n{% endif %}\nuser:\nx", 5, "inside the"),
        ("---\nvariables: {h: {type: messages}}\n---\n{{ messages(h) }}\nso\nuser:\nx", 5, "without a role line"),
        ("{{ messages(h) }}\nuser:\nx\n", 1, "needs a variable `h` of type `messages`"),
        ("---\nvariables: {h: {type: string}}\n---\n{{ messages(h) }}\nuser:\nx\n", 4, "needs type messages"),
        ("---\ndescription: x\nuser:\nhi\n", 1, "no closing `---`"),
        ("---\n---\n", None, "holds no message"),
        ("---\nvariable: {}\n---\nuser:\nhi\n", 2, "Did you mean `variables`?"),
        ("---\nvariables:\n  a:\n    typ: string\n---\nuser:\nhi\n", 4, "`variables.a.typ`"),
        ("---\nvariables:\n  a: {type: strng}\n---\nuser:\nhi\n", 3, "Did you mean `string`?"),
        ("---\nvariables:\n  a: {type: integer, default: x}\n---\nuser:\nhi\n", 3, "is 'x' (string), expected integer"),
        ("---\nvariables:\n  a: {required: true, default: x}\n---\nuser:\nhi\n", 3, "no default"),
        ("---\nvariables:\n  contexts: {}\n---\nuser:\nhi\n", 3, "is reserved"),
        ("---\nvariables:\n  1a: {}\n---\nuser:\nhi\n", 3, "is not a variable name"),
        ("---\nvariables:\n  a: {}\n  a: {}\n---\nuser:\nhi\n", 4, "stands twice"),
        ("---\ndescription: [\n---\nuser:\nhi\n", 3, "not valid YAML"),
        ("---\nparameters: {seed: .nan}\n---\nuser:\nhi\n", 2, "JSON cannot express"),
        ("---\nparameters: {temprature: 0}\n---\nuser:\nhi\n", 2, "Did you mean `temperature`?"),
        ("---\nparameters:\n  api_base: http://x.test/v1\n---\nuser:\nhi\n", 3, "`params` in llmops.yaml"),
        ("---\nparameters:\n  seed: 1\n  mock_response: hi\n---\nuser:\nhi\n", 4, "not a parameter that a prompt sets"),
        ("---\nparameters: {tools: [{type: mcp}]}\n---\nuser:\nhi\n", 2, "not of `type: function`"),
        ("---\nparameters: {tools: {type: mcp}}\n---\nuser:\nhi\n", 2, "not of `type: function`"),
        ("user:\nhi\x00\n", 2, "NUL"),
    ],
)
def test_a_faulty_prompt_is_refused_with_its_line(text: str, line: int | None, said: str) -> None:
    found = problems_of(text, {"rules.j2": "Be kind."})
    assert any(at == line and said in message for at, message in found), found


def test_all_problems_are_told_at_once() -> None:
    text = "---\ntag: []\n---\nuser:\n{{ a | uper }}\n{% if x %}\nsystem:\n{% endif %}\n"
    assert [line for line, _ in problems_of(text)][:2] == [2, 5]


def test_a_faulty_shared_file_is_named() -> None:
    [(line, message)] = problems_of("user:\n{% include 'a.j2' %}\n", {"a.j2": "x\n{{ y | uper }}"})
    assert message.startswith("prompts/_shared/a.j2:2")
    assert line == 2


def test_includes_that_go_round_in_a_circle_are_refused() -> None:
    found = problems_of("user:\n{% include 'a.j2' %}\n", {"a.j2": "{% include 'b.j2' %}", "b.j2": "{% include 'a.j2' %}"})
    assert "includes itself" in found[0][1]


def test_macros_and_includes_of_the_shared_folder_work() -> None:
    shared = {
        "rules.j2": "Never lie, {{ name }}.\n",
        "fence.j2": "{% macro fence(text) %}<<{{ text }}>>{% endmacro %}",
        "unused.j2": "x",
    }
    text = "{% from 'fence.j2' import fence %}\nsystem:\n{% include 'rules.j2' %}\nuser:\n{{ fence(question) }}\n"
    version = parse(text, shared)
    assert version.used_variables == {"name", "question"}
    assert set(version.shared) == {"rules.j2", "fence.j2"}
    assert version.render({"name": "Bo", "question": "why"}) == (
        Message("system", "Never lie, Bo."),
        Message("user", "<<why>>"),
    )


def test_the_hash_follows_used_shared_files_alone() -> None:
    text = "user:\n{% include 'a.j2' %}\n"
    first = parse(text, {"a.j2": "one", "b.j2": "x"}).hash
    assert parse(text, {"a.j2": "one\r\n", "b.j2": "y"}).hash == first
    assert parse(text, {"a.j2": "two", "b.j2": "x"}).hash != first


BODY = st.text(st.sampled_from("ab {}%#\nusr:é\t"), min_size=1, max_size=40)


@given(BODY, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())
def test_line_ends_bom_and_final_newline_do_not_count(body: str, end: str, bom: bool, final: bool) -> None:
    text = f"---\ndescription: d\n---\nuser:\nx {{# {body.replace('#', '')} #}}"
    other = ("\ufeff" if bom else "") + (text + "\n" * final).replace("\n", end)
    assert parse(other).hash == parse(text).hash
    assert parse(other).render({}) == parse(text).render({})


VALUES = st.dictionaries(st.sampled_from(["temperature", "top_p", "seed"]), st.integers(0, 3))


@given(BODY, BODY, VALUES, VALUES)
def test_equal_hashes_mean_equal_rendering_and_edits_change_the_hash(
    one: str, two: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    versions = []
    for body, parameters in ((one, first), (two, second)):
        literal = body.replace("{", "(").replace("\n", " ").strip()
        versions.append(parse(f"---\nparameters: {parameters}\n---\nuser:\n.{literal}.{{{{ v }}}}\n"))
    a, b = versions
    if a.hash == b.hash:
        assert a.render({"v": "z"}) == b.render({"v": "z"})
        assert a.parameters == b.parameters
    assert (a.hash == b.hash) == (a.text == b.text)


@given(st.integers(0, len(FULL) - 1), st.sampled_from("a{ \n:#é") | st.just(""), st.booleans())
def test_any_edit_of_the_text_changes_the_hash(at: int, put: str, replace: bool) -> None:
    edited = FULL[:at] + put + FULL[at + replace :]
    same = edited.removesuffix("\n") == FULL.removesuffix("\n")
    assert (hash_of(edited, {}) == hash_of(FULL, {})) == same


def test_a_shared_file_is_not_mistaken_for_text() -> None:
    assert hash_of("a", {"b": "c"}) != hash_of("ab", {"": "c"}) != hash_of("a", {"bc": ""})
    assert hash_of("a\n", {"b": "c\r\n"}) == hash_of("\ufeffa", {"b": "c"})


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [("string", "3", "3"), ("any", "{", "{"), ("integer", "3", 3), ("array", "[1]", [1]), ("boolean", "true", True)],
)
def test_values_from_text(kind: str, text: str, value: object) -> None:
    assert from_text(Variable("v", kind), text) == value


@pytest.mark.parametrize(("kind", "text"), [("integer", "x"), ("integer", "3.5"), ("array", "{}"), ("boolean", "yes")])
def test_text_that_is_no_such_value_is_refused(kind: str, text: str) -> None:
    with pytest.raises(BadValue, match=f"expected {kind}"):
        from_text(Variable("v", kind), text)


FILES = "abcd"


@given(st.dictionaries(st.sampled_from(FILES), st.lists(st.sampled_from(FILES), max_size=3)))
def test_every_circle_of_includes_is_refused_and_nothing_else(graph: dict[str, list[str]]) -> None:
    def goes_round(name: str, above: str) -> bool:
        return name in above or any(goes_round(each, above + name) for each in graph.get(name, []))

    shared = {name: "".join(f"{{% include '{each}' %}}" for each in graph.get(name, [])) for name in FILES}
    circles = goes_round("a", "")
    text = "user:\nhi {% include 'a' %}\n"
    if circles:
        assert any("includes itself" in message for _, message in problems_of(text, shared))
    else:
        assert set(parse_prompt(text, file="p.j2", shared=shared).shared) <= set(FILES)


@pytest.mark.parametrize(
    "read",
    [
        "hit.text ~ hit['source'] ~ hit.heading",
        "hit.title | default('x')",
        "hit.title if hit.title is defined",
        "hit.items() | list",
        "other.content",
    ],
)
def test_parts_of_a_passage_that_are_there_or_may_be_missing(read: str) -> None:
    text = f"user:\n{{% for hit in contexts %}}{{{{ {read} }}}}{{% endfor %}}"
    assert parse_prompt(text, file="prompts/p/prompt.j2", shared={}).used_variables >= {"contexts"}


def test_another_word_for_the_text_of_a_passage_is_told_ours() -> None:
    text = "user:\n{% for doc in contexts %}{{ doc.page_content }}{% endfor %}"
    with pytest.raises(InvalidFiles) as caught:
        parse_prompt(text, file="prompts/p/prompt.j2", shared={})
    assert caught.value.problems[0].hint == "Did you mean `text`?"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user:\n" + "{{ q }}" * 20_000, "holds 140,000 characters in `{{ }}` and `{% %}`; at most 100,000 are read"),
        ("user:\n" + "user:\n" * 300_000, "holds 300,001 role lines; at most 10,000 are read"),
        ("user:\n{% include 'big.j2' %}", "prompts/_shared/big.j2: holds 100,004 characters"),
    ],
)
def test_a_template_that_takes_minutes_to_compile_is_refused(text: str, told: str) -> None:
    with pytest.raises(InvalidFiles) as refused:
        parse_prompt(text, file="prompts/a/prompt.j2", shared={"big.j2": "{{" + "1" * 100_000 + "}}"})
    assert told in str(refused.value)


@pytest.mark.parametrize("expression", ["q ? 'a' : 'b'", "#if q", "q }"])
def test_what_is_no_expression_of_jinja_is_told_with_what_is_one(expression: str) -> None:
    with pytest.raises(InvalidFiles) as refused:
        parse_prompt(f"user:\n{{{{ {expression} }}}}", file="p.j2", shared={})
    (problem,) = refused.value.problems
    assert problem.line == 2
    assert problem.message.startswith("unexpected ")
    assert " at " not in problem.message
    assert problem.hint is not None
    assert "{{ a if b else c }}" in problem.hint
