"""Import from and export to other tools."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.errors import InvalidFiles, UsageError
from llmops.domain.prompts import Message
from llmops.prompting.exchange import export_prompt, guess_format, import_prompts
from llmops.prompting.template import PromptVersion, parse_prompt

PROMPTY = """---
name: Helper
description: helps people
authors: [somebody]
model:
  api: chat
  configuration: {type: azure_openai}
  parameters: {temperature: 0.2, max_tokens: 100}
inputs:
  question: {type: string, description: asked}
  tags: {type: list}
  tone: {type: string, required: false}
  style: {type: string, default: ""}
sample:
  question: Why?
  level: 3
---
System:
You help. {{ tags|join(", ") }}

user:
{{ question }} ({{ level }})
"""


def parsed(text: str) -> PromptVersion:
    return parse_prompt(text, file="prompts/p/prompt.j2", shared={})


def single(text: str, file: str) -> PromptVersion:
    [found] = import_prompts(text, file)
    return parsed(found.text)


def test_a_prompty_file_is_read() -> None:
    version = single(PROMPTY, "helper.prompty")
    assert version.description == "helps people"
    assert version.parameters == {"temperature": 0.2, "max_tokens": 100}
    assert {name: v.type for name, v in version.variables.items()} == {
        "question": "string",
        "tags": "array",
        "tone": "string",
        "style": "string",
        "level": "integer",
    }
    assert version.variables["question"].examples == ("Why?",)
    assert version.render({"question": "Q", "tags": ["a", "b"], "level": 1}) == (
        Message("system", "You help. a, b"),
        Message("user", "Q (1)"),
    )


def test_prompty_text_before_the_first_role_is_the_system_message() -> None:
    assert [m.role for m in single("Be kind.\nuser:\nhi\n", "a.prompty").messages] == ["system", "user"]


def test_prompty_goes_there_and_back() -> None:
    version = single(PROMPTY, "helper.prompty")
    again = single(export_prompt(version, "prompty"), "helper.prompty")
    assert [(m.role, m.source.strip()) for m in again.messages] == [(m.role, m.source.strip()) for m in version.messages]
    assert (again.parameters, again.description) == (version.parameters, version.description)
    assert [replace(v, line=None) for v in again.variables.values()] == [
        replace(v, line=None) for v in version.variables.values()
    ]


TEXTS = st.text(st.sampled_from("ab{}%#\n usertymai:\\'\""), min_size=1, max_size=50).filter(lambda text: text.strip())
CHATS = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXTS), min_size=1, max_size=4)


@given(CHATS)
def test_openai_messages_are_kept_word_for_word(chat: list[tuple[str, str]]) -> None:
    text = json.dumps([{"role": role, "content": content} for role, content in chat])
    [found] = import_prompts(text, "chat.json", "openai")
    rendered = parsed(found.text).render({})
    assert [message.role for message in rendered] == [role for role, _ in chat]
    for message, (_, content) in zip(rendered, chat, strict=True):
        assert message.content.strip() == content.strip()
    assert json.loads(export_prompt(parsed(found.text), "openai", rendered)) == [message.to_json() for message in rendered]


def test_openai_requests_bring_their_parameters() -> None:
    request = {
        "model": "x",
        "temperature": 0.5,
        "messages": [{"role": "developer", "content": [{"type": "text", "text": "Hi"}]}],
    }
    version = single(json.dumps(request), "request.json")
    assert version.parameters == {"temperature": 0.5}
    assert version.render({}) == (Message("system", "Hi"),)


def test_parameters_that_a_prompt_does_not_set_are_left_out_and_named() -> None:
    stranger = {"api_base": "http://127.0.0.1:9/v1", "api_key": "x", "tools": [{"type": "mcp"}], "temperature": 0}
    request = {**stranger, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    prompty = PROMPTY.replace("max_tokens: 100", "api_base: http://127.0.0.1:9/v1")
    for text, file, left_out, kept in (
        (json.dumps(request), "request.json", ("api_base", "api_key", "tools"), {"temperature": 0}),
        (json.dumps(request), "request.yaml", ("api_base", "api_key", "tools"), {"temperature": 0}),
        (prompty, "helper.prompty", ("api_base",), {"temperature": 0.2}),
    ):
        [found] = import_prompts(text, file)
        assert found.left_out == left_out
        assert parsed(found.text).parameters == kept


@pytest.mark.parametrize("text", ["Hello {{ name }}!", "user:\nhi", "curly {{ and {% odd", "a\n---\nb"])
def test_plain_text_becomes_one_user_message(text: str) -> None:
    version = single(text, "prompt.txt")
    [message] = version.render({"name": "Bo"})
    assert message == Message("user", text.replace("{{ name }}", "Bo"))


def test_promptfoo_text_files_hold_several_prompts() -> None:
    found = import_prompts("Say {{a}}\n---\nTell {{a}} as {{ b | dump }}\n", "p.txt", "promptfoo")
    assert [parsed(each.text).render({"a": "x", "b": [1]})[0].content for each in found] == ["Say x", "Tell x as [1]"]


def test_a_line_of_hyphens_parts_prompts_of_promptfoo_in_text_files_alone() -> None:
    assert (
        parsed(import_prompts("# A\n---\n{{a}}\n", "p.md", "promptfoo")[0].text).render({"a": "x"})[0].content == "# A\n---\nx"
    )


def test_what_nunjucks_spells_otherwise_is_spelt_as_in_jinja() -> None:
    text = "{% if a.length === 2 %}two{% elseif b.x !== 'elseif' %}{{ a | dump }}{% endif %} a.length === 3"
    version = parsed(import_prompts(text, "p.md", "promptfoo")[0].text)
    assert version.render({"a": "xy", "b": {}})[0].content == "two a.length === 3"
    assert version.render({"a": "x", "b": {"x": "if"}})[0].content == '"x" a.length === 3'
    chat = json.dumps([{"role": "user", "content": '{{ a.length }} {{ b["x"] }}'}])
    assert single(chat, "p.json").render({"a": [1], "b": {"x": 2}})[0].content == "1 2"


def test_promptfoo_chats_are_templates() -> None:
    chat = '[{"role": "system", "content": "Be {{ tone }}."}, {"role": "user", "content": "{{ q }}"}]'
    expected = (Message("system", "Be calm."), Message("user", "why"))
    assert single(chat, "p.json").render({"tone": "calm", "q": "why"}) == expected
    assert (
        single("- role: system\n  content: Be {{ tone }}.\n- role: user\n  content: '{{ q }}'\n", "p.yaml").render(
            {"tone": "calm", "q": "why"}
        )
        == expected
    )
    assert single(export_prompt(single(chat, "p.json"), "promptfoo"), "p.json").hash == single(chat, "p.json").hash


def test_promptfoo_values_that_a_template_writes_are_texts() -> None:
    chat = '[{"role": "system", "content": {{ s["x"] | dump }}}, {"role": "user", "content":{{q|dump}}}, '
    chat += '{"role": "user", "content": "As JSON: {{ q | dump }}, \\"so\\""}]'
    rendered = single(chat, "p.json").render({"s": {"x": "calm"}, "q": 'a "b"'})
    assert [message.content for message in rendered] == ["calm", 'a "b"', 'As JSON: "a \\"b\\"", "so"']


def test_a_jinja_file_is_a_prompt_file_already() -> None:
    text = "---\nvariables:\n  q: {type: string}\n---\nsystem:\nhi\nuser:\n{{ q }}"
    assert [each.text for each in import_prompts(text, "old/answer.j2")] == [text]
    [literal] = import_prompts(text, "old/answer.j2", "text")
    assert "\\system:" in literal.text


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("a.txt", " \n", "is empty; a prompt was expected"),
        ("a.js", "module.exports = 1", "is a program that makes prompts"),
        ("a.json", '[{"role": "user", "content": "{{ no template }}"}]', "a.json: expected token .*\n.*--format openai"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", '{"a": 1}', "a list of messages was expected"),
        ("promptfooconfig.yaml", "prompts: ['Say {{ word }}']\nproviders: [a]\n", "is a configuration of promptfoo; a file of"),
        ("a.json", "[]", "a list of messages was expected"),
        ("a.json", '[{"role": "tool", "content": "x"}]', "the role 'tool'"),
        ("a.json", '[{"content": "x"}]', "message 1 has no role"),
        ("a.json", '[{"role": "user", "content": null}]', "is null; text was expected"),
        ("a.json", '[{"role": "user", "content": [{"type": "image_url"}]}]', "a part that is no text"),
        ("a.prompty", "tool:\nx\n", "tool messages cannot be imported"),
        ("a.prompty", "---\n- a\n---\nuser:\nx", "not a mapping"),
        ("a.prompty", "---\nname: x\nuser:\nx", "no closing"),
        ("a.yaml", "- role: user\n  content: '{{ x | nofilter }}'\n", "no filter named 'nofilter'"),
    ],
)
def test_what_cannot_be_imported_is_told(file: str, text: str, said: str) -> None:
    with pytest.raises(InvalidFiles, match=said):
        import_prompts(text, file)


IMAGE_CHAT = """[{"role": "user", "content": [
    {"type": "text", "text": "What is "}, {"type": "text", "text": "it?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,{{ photo }}"}}]}]"""


def test_an_image_that_is_a_variable_is_imported_of_templates_alone() -> None:
    [found] = import_prompts(IMAGE_CHAT, "chat.json")
    assert found.text == "user:\nWhat is it?\n{{ photo }}\n"
    with pytest.raises(InvalidFiles, match="a part that is no text"):
        import_prompts(IMAGE_CHAT, "chat.json", "openai")


def test_programs_are_not_run() -> None:
    with pytest.raises(InvalidFiles, match="is a program"):
        import_prompts("print(1)", "prompt.py", "promptfoo")


def test_what_a_format_cannot_say_is_refused() -> None:
    history = parsed("---\nvariables: {h: {type: messages}}\n---\n{{ messages(h) }}\nuser:\nx")
    with pytest.raises(UsageError, match="promptfoo files cannot"):
        export_prompt(history, "promptfoo")
    shared = parse_prompt("user:\n{% include 'a' %}", file="prompts/p/prompt.j2", shared={"a": "x"})
    with pytest.raises(UsageError, match="prompts/_shared/"):
        export_prompt(shared, "prompty")
    for line in ("\\user:", "Assistant:", "# system:", " tool:"):
        with pytest.raises(UsageError, match="as text, and prompty files cannot"):
            export_prompt(parsed(f"user:\nA chat:\n{line}\nHi"), "prompty")
    with pytest.raises(UsageError, match="holds rendered messages"):
        export_prompt(shared, "openai")
    assert export_prompt(shared, "text", shared.render({})) == "x\n"


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("a.prompty", "", "prompty"),
        ("a.json", "[]", "openai"),
        ("a.json", '["{{ x }}"]', "promptfoo"),
        ("a.yaml", "", "promptfoo"),
        ("a.txt", "{{ x }}", "text"),
    ],
)
def test_the_format_is_guessed(file: str, text: str, expected: str) -> None:
    assert guess_format(file, text) == expected
