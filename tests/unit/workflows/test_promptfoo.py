"""Configurations of promptfoo as projects."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.errors import LlmopsError, UsageError
from llmops.workflows.promptfoo.assertions import LeftOut, entry_of, filled
from llmops.workflows.promptfoo.convert import Converted, convert
from llmops.workflows.promptfoo.providers import model_of

PNG = b"\x89PNG\r\n\x1a\n of a cat"
MINIMAL = {"prompts": ["Say {{word}}"], "providers": ["openai:gpt-4o"], "tests": [{"vars": {"word": "hello"}}]}


def converted(folder: Path, config: object, files: dict[str, str] | None = None) -> Converted:
    for name, text in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    text = config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False)
    (folder / "promptfooconfig.yaml").write_text(text)
    return convert(folder / "promptfooconfig.yaml")


def cases(found: Converted) -> list[dict[str, Any]]:
    return [json.loads(line) for line in str(found.files["datasets/promptfoo.jsonl"]).splitlines()]


def suite(found: Converted) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(str(found.files["evals/promptfoo.yaml"]))
    return loaded


def told(found: Converted) -> list[str]:
    return [f"{problem.line}: {problem.message}" for problem in found.left_out]


def no_judge() -> str:
    raise AssertionError


@pytest.mark.parametrize(
    ("assertion", "entry"),
    [
        ({"type": "equals", "value": 4}, {"equals": {"to": ["4"]}}),
        ({"type": "equals", "value": {"a": 1}}, {"json-schema": {"schema": {"const": {"a": 1}}}}),
        ({"type": "contains", "value": "A"}, {"contains": {"any": ["A"], "ignore_case": False}}),
        ({"type": "icontains", "value": "A"}, {"contains": {"any": ["A"]}}),
        ({"type": "icontains-any", "value": "a, b"}, {"contains": {"any": ["a", "b"]}}),
        ({"type": "contains-all", "value": ["a", "b"]}, {"contains": {"all": ["a", "b"], "ignore_case": False}}),
        ({"type": "not-icontains", "value": "a"}, {"contains": {"any": ["a"], "negate": True}}),
        ({"type": "starts-with", "value": "a."}, {"regex": {"pattern": r"^a\."}}),
        ({"type": "is-json"}, {"json-schema": {"schema": {}}}),
        ({"type": "similar", "value": "a"}, {"similarity": {"to": ["a"], "min": 0.75}}),
        (
            {"type": "tool-call-f1", "value": "search, weather", "threshold": 0.8},
            {"tool-calls": {"to": ["search", "weather"], "arguments": "ignore", "min": 0.8}},
        ),
        ({"type": "rouge-n", "value": "a"}, {"overlap": {"to": ["a"], "metric": "rouge-1", "min": 0.75}}),
        ({"type": "bleu", "value": "a", "threshold": 0.3}, {"overlap": {"to": ["a"], "metric": "bleu", "min": 0.3}}),
        ({"type": "latency", "threshold": 1500}, {"latency": {"max": 1.5}}),
        ({"type": "cost", "threshold": 0.01}, {"cost": {"max": 0.01}}),
        ({"type": "not-is-refusal"}, {"over-refusal": {}}),
        ({"type": "is-refusal"}, {"over-refusal": {"negate": True}}),
        ({"type": "equals", "value": "a", "transform": "output.x.y"}, {"equals": {"to": ["a"], "of": "/x/y"}}),
        ({"type": "is-json", "transform": "JSON.parse(output)"}, {"json-schema": {"schema": {}}}),
        (
            {"type": "equals", "value": "a", "weight": 2, "metric": "How right?"},
            {"equals": {"to": ["a"], "weight": 2, "name": "How-right"}},
        ),
    ],
)
def test_an_assertion_becomes_an_evaluator(assertion: dict[str, Any], entry: dict[str, Any]) -> None:
    assert entry_of(assertion, no_judge) == entry


def test_a_rubric_is_an_item_that_has_to_be_met() -> None:
    entry = entry_of({"type": "llm-rubric", "value": "Is polite."}, lambda: "grader")
    assert entry == {"criteria": {"judge": "grader", "items": ["Is polite."], "min": 1}}


@pytest.mark.parametrize(
    ("assertion", "why"),
    [
        ({"type": "javascript", "value": "true"}, "`javascript` is a program; a Python function of yours"),
        ({"type": "not-meteor", "value": "a"}, "`not-meteor` has no counterpart"),
        ({"type": "contains"}, "`contains` has no `value`"),
        ({"type": "equals", "value": True}, "its value is true"),
        ({"type": "cost"}, "`cost` has no `threshold`"),
        ({"type": "regex", "value": "(?<n>a)"}, "a pattern that Python cannot read"),
        ({"type": "equals", "value": "a", "transform": "output.trim()"}, "a `transform` that is a program"),
        ({}, "`` has no counterpart"),
    ],
)
def test_what_has_no_counterpart_is_left_out_with_its_reason(assertion: dict[str, Any], why: str) -> None:
    with pytest.raises(LeftOut) as left:
        entry_of(assertion, no_judge)
    assert why in left.value.message


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai:gpt-4o", "openai/gpt-4o"),
        ("openai:chat:gpt-4o", "openai/gpt-4o"),
        ("openai:chat:ft:gpt-4o:us", "openai/ft:gpt-4o:us"),
        ("anthropic:messages:claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
        ("azure:chat:mine", "azure/mine"),
        ("ollama:chat:llama3.2:1b", "ollama_chat/llama3.2:1b"),
        ("google:gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("openrouter:meta-llama/llama-3", "openrouter/meta-llama/llama-3"),
    ],
)
def test_a_provider_becomes_a_model(provider: str, name: str) -> None:
    assert model_of(provider, {}) == ({"id": name}, [])


@pytest.mark.parametrize(
    "provider",
    ["echo", "https://example.test/chat", "openai", "file://app.py", "python:app.py", "", "openai:assistant:asst_1"],
)
def test_a_provider_without_a_litellm_id_is_left_out(provider: str) -> None:
    with pytest.raises(LeftOut):
        model_of(provider, {})


def test_a_label_of_which_no_name_is_left_is_a_model_all_the_same(tmp_path: Path) -> None:
    found = converted(tmp_path, {**MINIMAL, "providers": [{"id": "openai:m", "label": "模型"}]})
    assert suite(found)["targets"] == ["model"]
    assert yaml.safe_load(str(found.files["llmops.yaml"]))["models"] == {"model": {"id": "openai/m"}}


def test_a_key_is_never_carried_over(tmp_path: Path) -> None:
    config = {"temperature": 0, "apiKey": "sk-secret", "apiKeyEnvar": "MY_KEY", "apiBaseUrl": "http://127.0.0.1:1/v1", "x": 1}
    found = converted(tmp_path, {**MINIMAL, "providers": [{"id": "openai:m", "label": "Mine", "config": config}]})
    assert yaml.safe_load(str(found.files["llmops.yaml"])) == {
        "models": {
            "mine": {
                "id": "openai/m",
                "api_base": "http://127.0.0.1:1/v1",
                "api_key_env": "MY_KEY",
                "params": {"temperature": 0},
            }
        }
    }
    assert len(found.left_out) == 2
    assert "sk-secret" not in str(found)


def models(found: Converted) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(str(found.files["llmops.yaml"]))["models"]
    return loaded


def test_what_stands_in_the_environment_is_taken_from_the_configuration_or_told(tmp_path: Path) -> None:
    text = """prompts: ["Say {{word}} {{env.PLACE}}"]
env: {PLACE: Oslo, HEAT: 0, KEY: sk-secret}
providers:
  - id: openai:m
    config: {apiKey: "{{ env.MY_KEY }}", apiBaseUrl: "{{env.BASE}}", temperature: "{{env.HEAT}}"}
  - {id: "openai:other", config: {apiKey: "{{env.KEY}}"}}
  - openai:{{env.MODEL}}
tests: [{vars: {word: a}}]
"""
    found = converted(tmp_path, text)
    assert models(found) == {
        "m": {"id": "openai/m", "api_key_env": "MY_KEY", "params": {"temperature": 0}},
        "other": {"id": "openai/other"},
    }
    assert found.files["prompts/prompt/prompt.j2"] == "user:\nSay {{word}} Oslo\n"
    assert "sk-secret" not in str(found)
    assert [line for line in told(found) if "environment" in line] == [
        "5: left out: `{{env.BASE}}` stands in the environment: write it in llmops.yaml.",
        "6: left out: a key stands in the environment or in .env, not in a file of the project.",
        "7: left out: its id 'openai:{{env.MODEL}}' stands in the environment: write it under `models` of llmops.yaml.",
    ]


def test_files_of_providers_are_read(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    files = {
        "several.yaml": "- openai:one\n- {id: 'openai:two', config: {tools: file://tools.json, stop: file://lost.yaml}}\n",
        "tools.json": json.dumps(tools),
    }
    found = converted(tmp_path, {**MINIMAL, "providers": ["file://several.yaml", "file://lost.json"]}, files)
    assert models(found) == {"one": {"id": "openai/one"}, "two": {"id": "openai/two", "params": {"tools": tools}}}
    assert [line.partition(": left out: ")[2] for line in told(found)] == [
        "lost.yaml: no such file.",
        "lost.json: no such file.",
    ]


def test_no_other_model_grades_than_the_one_that_is_named(tmp_path: Path) -> None:
    rubric = {"type": "llm-rubric", "value": "Is polite."}
    tests = [
        {"vars": {"word": "a"}, "assert": [rubric]},
        {"vars": {"word": "b"}, "assert": [{**rubric, "provider": "python:grade.py"}]},
    ]
    default = {"options": {"provider": {"text": {"id": "openai:grader"}, "embedding": "openai:embedding:e"}}}
    found = converted(tmp_path, {**MINIMAL, "defaultTest": default, "tests": tests})
    assert models(found) == {"gpt-4o": {"id": "openai/gpt-4o"}, "judge": {"id": "openai/grader"}}
    assert [len(row.get("evaluators", ())) for row in cases(found)] == [1, 0]
    assert "the model that grades it is not carried over" in told(found)[1]


def test_prompts_of_all_forms_become_templates(tmp_path: Path) -> None:
    chat = [
        {"role": "system", "content": "Look."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,{{photo}}"}},
            ],
        },
    ]
    prompts = [
        "Say {{word}}",
        "file://p/*.txt",
        {"id": "file://chat.json", "label": "Ünder Way"},
        "file://make.js",
        "file://../x.txt",
    ]
    files = {
        "p/one.txt": "1 {{word}}\n---\n2 {{word}}\n",
        "p/two.txt": "3 {{word}}",
        "chat.json": json.dumps(chat),
        "make.js": "",
    }
    found = converted(tmp_path, {**MINIMAL, "prompts": prompts}, files)
    texts = {name.split("/")[1]: text for name, text in found.files.items() if name.startswith("prompts/")}
    assert texts == {
        "prompt": "user:\nSay {{word}}\n",
        "one": "user:\n1 {{word}}\n",
        "one-2": "user:\n2 {{word}}\n",
        "two": "user:\n3 {{word}}\n",
        "under-way": "system:\nLook.\n\nuser:\nWhat is it?\n{{photo}}\n",
    }
    assert suite(found)["prompts"] == ["prompt", "one", "one-2", "two", "under-way"]
    assert [line.partition(": left out: ")[2] for line in told(found)] == [
        "'file://make.js' is a program.",
        "'file://../x.txt' lies outside of the configuration's folder.",
    ]


def test_a_prompt_that_is_no_template_is_left_out_and_never_sent_as_text(tmp_path: Path) -> None:
    prompts = ["{% for a in b %}{{ loop.index }}", "{% if word.length > 2 %}{{ word }}{% elseif word %}?{% endif %}"]
    found = converted(tmp_path, {**MINIMAL, "prompts": prompts})
    assert [line.partition(": left out: ")[2].partition(".")[0] for line in told(found)] == [
        "prompt: Unexpected end of template"
    ]
    assert found.files["prompts/prompt/prompt.j2"] == ("user:\n{% if word|length > 2 %}{{ word }}{% elif word %}?{% endif %}\n")


def test_what_names_a_file_or_a_program_is_no_prompt_of_its_own(tmp_path: Path) -> None:
    files = {
        "p/one.txt": "1 {{word}}",
        "table.csv": 'prompt,label\n"Say {{word}}",Say\n{{word}}?,\n',
        "rules.md": "a\n---\n{{word}}",
    }
    prompts = [
        "p/*.txt",
        "p/lost.txt",
        "file://table.csv",
        "exec:./make.sh",
        "make.py:prompt",
        "rules.md",
        "- role: user\n  content: A",
    ]
    found = converted(tmp_path, {**MINIMAL, "prompts": prompts}, files)
    texts = {name.split("/")[1]: text for name, text in found.files.items() if name.startswith("prompts/")}
    assert texts == {
        "one": "user:\n1 {{word}}\n",
        "say": "user:\nSay {{word}}\n",
        "table": "user:\n{{word}}?\n",
        "rules": "user:\na\n---\n{{word}}\n",
        "prompt": "user:\nA\n",
    }
    assert [line.partition(": left out: ")[2] for line in told(found)] == [
        "p/lost.txt: no such file.",
        "'exec:./make.sh' is a program.",
        "'make.py:prompt' is a program.",
    ]


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("prompts.txt", "1 {{word}}\n---\n2 {{word}}\n", ["prompts", "prompts-2"]),
        ("chat.yaml", "- {role: user, content: '{{word}}'}\n", ["chat"]),
        ("prompts.yaml", "- 'Say {{word}}'\n- {raw: '{{word}}!', label: loud}\n", ["prompt", "loud"]),
    ],
)
def test_all_prompts_may_stand_in_one_file(tmp_path: Path, file: str, text: str, names: list[str]) -> None:
    found = converted(tmp_path, {**MINIMAL, "prompts": f"file://{file}"}, {file: text})
    assert suite(found)["prompts"] == names
    assert found.left_out == ()


def test_lists_of_values_are_spread_and_defaults_hold_for_every_case(tmp_path: Path) -> None:
    config = {
        **MINIMAL,
        "defaultTest": {
            "vars": {"tone": "kind"},
            "assert": [{"type": "latency", "threshold": 100}, {"type": "icontains", "value": "{{word}}!"}],
        },
        "tests": [
            {
                "description": "greets",
                "vars": {"word": ["a", "b"], "n": [1, 2]},
                "assert": [{"type": "icontains", "value": "c"}],
            },
            {"vars": {"word": ["a", "b"]}, "options": {"disableVarExpansion": True}},
        ],
        "evaluateOptions": {"repeat": 3},
    }
    found = converted(tmp_path, config)
    assert suite(found)["evaluators"] == [{"latency": {"max": 0.1}}]
    assert suite(found)["repeat"] == 3
    rows = cases(found)
    assert [row["id"] for row in rows] == ["greets", "greets-2", "greets-3", "greets-4", "5"]
    assert [row["vars"] for row in rows[1:4:2]] == [
        {"tone": "kind", "word": "a", "n": 2},
        {"tone": "kind", "word": "b", "n": 2},
    ]
    assert rows[3]["evaluators"] == [{"contains": {"any": ["b!"]}}, {"contains": {"any": ["c"], "name": "contains-2"}}]
    assert rows[4]["vars"]["word"] == ["a", "b"]


def test_a_variable_that_only_some_tests_have_is_empty_in_the_others(tmp_path: Path) -> None:
    first = {"word": "a", "tone": "kind", "other": 1}
    config = {"prompts": ["{% if tone %}Be {{tone}}. {% endif %}{{word}}"], "tests": [{"vars": first}, {"vars": {"word": "b"}}]}
    assert [row["vars"] for row in cases(converted(tmp_path, {**MINIMAL, **config}))] == [first, {"word": "b", "tone": ""}]


def test_a_prompt_that_includes_another_is_left_out(tmp_path: Path) -> None:
    found = converted(tmp_path, {**MINIMAL, "prompts": ["{{word}}", "{% include 'rules.txt' %}{{word}}"]})
    assert suite(found)["prompts"] == ["prompt"]
    assert "there is no 'rules.txt' in `prompts/_shared/`" in told(found)[0]


def test_files_of_variables_come_along(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    files = {"terms.md": "Final.\n", "more.yaml": "a: 1\n", ".env": "KEY=1\n", "x.js": ""}
    vars = {name: f"file://{name}" for name in ("cat.png", "terms.md", "more.yaml", "x.js", "lost.txt")}
    found = converted(tmp_path, {**MINIMAL, "tests": [{"vars": {**vars, "out": "file:///etc/passwd"}}]}, files)
    [case] = cases(found)
    assert case["files"] == {"cat.png": "files/cat.png", "terms.md": "files/terms.md"}
    assert case["vars"] == {"more.yaml": {"a": 1}}
    assert found.files["datasets/files/cat.png"] == PNG
    assert len(found.left_out) == 3


def test_tests_are_read_from_tables_and_lists(tmp_path: Path) -> None:
    files = {
        "t.csv": "word,__expected,__expected2,__description,__metadata:kind\n"
        'a,A: b,"similar(0.8): c",first,x\nb,icontains: z,,,\n',
        "t.jsonl": '{"vars": {"word": "c"}, "assert": [{"type": "equals", "value": "C"}]}\n',
        "t.yaml": "- vars: {word: yes}\n",
    }
    tests = ["file://t.csv", "file://t.jsonl", "file://t.yaml", "huggingface://datasets/x", "file://t.xlsx"]
    found = converted(tmp_path, {**MINIMAL, "tests": tests}, files)
    rows = cases(found)
    assert rows[0] == {
        "id": "first",
        "vars": {"word": "a"},
        "metadata": {"kind": "x"},
        "evaluators": [{"equals": {"to": ["A: b"]}}, {"similarity": {"to": ["c"], "min": 0.8}}],
    }
    assert [row["vars"]["word"] for row in rows] == ["a", "b", "c", "yes"]
    assert len(found.left_out) == 2


def test_columns_with_a_meaning_are_carried_over_or_told(tmp_path: Path) -> None:
    table = """word,__expected,__expected2,__metric,__threshold,__prefix,__metadata:tags[],__config:__expected:threshold
a,similar: b,is-json,Right,0.5,Please,"x, y",0.9
b,grade: is short,python,,,,,
d,grade,,,,,,
c,fn: output > 1,equals(0.5): d,,,,,
"""
    found = converted(tmp_path, {**MINIMAL, "tests": "file://t.csv"}, {"t.csv": table})
    first, second, graded, third = cases(found)
    assert graded["evaluators"] == [{"equals": {"to": ["grade"]}}]
    assert first["metadata"] == {"tags": ["x", "y"]}
    assert first["evaluators"] == [
        {"similarity": {"to": ["b"], "min": 0.9, "name": "Right"}},
        {"json-schema": {"schema": {}, "name": "Right-2"}},
    ]
    assert [next(iter(entry)) for entry in second["evaluators"]] == ["criteria", "equals"]
    assert second["evaluators"][1] == {"equals": {"to": ["python"]}}
    assert third["evaluators"] == [{"equals": {"to": ["d"]}}]
    assert [problem.key for problem in found.left_out] == [
        *("tests.__threshold", "tests.__prefix", "tests.assert[0]", "tests.assert[1].threshold")
    ]


def test_a_scenario_is_each_of_its_tests_with_each_of_its_data(tmp_path: Path) -> None:
    scenario = {
        "description": "Greets",
        "config": [
            {"vars": "file://fr.yaml", "assert": [{"type": "latency", "threshold": 1000}]},
            {"vars": {"tongue": "Greek", "word": "bye"}, "metadata": {"rare": 1}},
        ],
        "tests": [{"vars": {"word": "hi"}, "assert": [{"type": "icontains", "value": "{{tongue}}"}]}, "file://more.yaml"],
        "x": 1,
    }
    files = {"fr.yaml": "tongue: French\n", "more.yaml": "- vars: {word: yes}\n"}
    found = converted(tmp_path, {**MINIMAL, "tests": [], "scenarios": [scenario]}, files)
    rows = cases(found)
    assert [(row["vars"]["tongue"], row["vars"]["word"]) for row in rows] == [
        *(("French", "hi"), ("French", "yes"), ("Greek", "hi"), ("Greek", "yes"))
    ]
    assert rows[0]["evaluators"] == [{"latency": {"max": 1.0, "name": "latency-2"}}, {"contains": {"any": ["French"]}}]
    assert rows[2]["metadata"] == {"rare": 1}
    assert [problem.key for problem in found.left_out] == ["scenarios[0].x"]


def test_tests_that_a_program_makes_are_left_out(tmp_path: Path) -> None:
    made = {"path": "file://make.py:tests", "config": {"n": 3}}
    found = converted(tmp_path, {**MINIMAL, "tests": [made, {"vars": {"word": "a"}}]})
    assert [row["vars"] for row in cases(found)] == [{"word": "a"}]
    assert "is a program" in told(found)[0]


def test_what_is_left_out_is_told_once_and_where_it_stands(tmp_path: Path) -> None:
    text = """prompts: ["{{a}}"]
providers: [openai:m]
outputPath: x.json
tests:
  - vars: {a: [1, 2]}
    threshold: 0.5
    options: {prefix: Please}
    assert:
      - type: gleu
        value: x
      - {type: llm-rubric, value: x, rubricPrompt: y}
      - $ref: '#/assertionTemplates/short'
assertionTemplates:
  short: {type: javascript, value: output.length < 5}
"""
    assert told(converted(tmp_path, text)) == [
        "3: left out: it has no counterpart.",
        "6: left out: it has no counterpart.",
        "7: left out: it has no counterpart.",
        "9: left out: `gleu` has no counterpart.",
        "11: left out: it has no counterpart.",
        "12: left out: `javascript` is a program; a Python function of yours can be an evaluator: `python: FILE.py:FUNCTION`.",
    ]


def test_a_key_that_an_assertion_of_its_type_does_not_read_is_told(tmp_path: Path) -> None:
    text = """prompts: ["{{a}}"]
providers: [openai:m]
tests:
  - vars: {a: 1}
    assert:
      - {type: llm-rubric, value: x, threshold: 0.8, provider: "openai:g"}
      - {type: similar, value: x, threshold: 0.8, provider: "openai:embedding:e"}
      - {type: latency, threshold: 5, weight: 0}
      - type: assert-set
        metric: Both
        assert: [{type: contains, value: b}]
"""
    found = converted(tmp_path, text)
    assert [line.partition(": left out: ")[::2] for line in told(found)] == [
        ("6", "it has no counterpart."),
        ("7", "it has no counterpart."),
        ("8", "an evaluator that weighs nothing fails a case here all the same."),
        ("10", "it has no counterpart."),
    ]
    assert [problem.key for problem in found.left_out][:2] == ["tests[0].assert[0].threshold", "tests[0].assert[1].provider"]
    assert len(cases(found)[0]["evaluators"]) == 4


def test_a_variable_may_stand_in_the_text_of_another(tmp_path: Path) -> None:
    tests = [{"vars": {"word": "Hello {{name}}", "name": ["A", "B"], "loud": "{{ name | upper }}"}}]
    found = converted(tmp_path, {**MINIMAL, "tests": tests})
    assert [row["vars"]["word"] for row in cases(found)] == ["Hello A", "Hello B"]
    assert cases(found)[0]["vars"]["loud"] == "{{ name | upper }}"
    assert [problem.key for problem in found.left_out] == ["tests[0].vars.loud"]


def test_no_evaluator_of_a_case_takes_the_name_of_one_of_the_suite(tmp_path: Path) -> None:
    tests = [{"vars": {"word": "a"}, "assert": [{"type": "latency", "threshold": 1000}, {"type": "cost", "threshold": 1}]}]
    found = converted(tmp_path, {**MINIMAL, "tests": tests})
    assert suite(found)["evaluators"] == [{"latency": {}}, {"cost": {}}]
    assert [next(iter(each.values()))["name"] for each in cases(found)[0]["evaluators"]] == ["latency-2", "cost-2"]


def test_a_template_in_the_file_of_a_value_is_filled_in(tmp_path: Path) -> None:
    default = {"assert": [{"type": "contains", "value": "file://a.txt"}, {"type": "contains", "value": "file://b.txt"}]}
    files = {"a.txt": "Say {{word}}", "b.txt": "plain"}
    found = converted(tmp_path, {**MINIMAL, "defaultTest": default}, files)
    assert suite(found)["evaluators"] == [{"contains": {"any": ["plain"], "ignore_case": False}}]
    (entry,) = cases(found)[0]["evaluators"]
    assert entry["contains"]["any"] == ["Say hello"]


def test_a_text_may_begin_with_a_bracket(tmp_path: Path) -> None:
    found = converted(
        tmp_path, {**MINIMAL, "prompts": ["[INST] {{word}} [/INST]", "file://p.txt"]}, {"p.txt": "[INST] {{word}}"}
    )
    assert found.files["prompts/prompt/prompt.j2"] == "user:\n[INST] {{word}} [/INST]\n"
    assert found.files["prompts/p/prompt.j2"] == "user:\n[INST] {{word}}\n"


def test_the_context_of_a_case_is_what_faithfulness_is_held_against(tmp_path: Path) -> None:
    test = {
        "vars": {"query": "How long?", "context": "file://c.txt"},
        "assert": [{"type": "context-faithfulness", "threshold": 0.9, "provider": "openai:judging"}],
    }
    found = converted(tmp_path, {**MINIMAL, "tests": [test]}, {"c.txt": "A week.\n"})
    assert cases(found)[0]["contexts"] == ["A week."]
    assert yaml.safe_load(str(found.files["llmops.yaml"]))["models"]["judge"] == {"id": "openai/judging"}


def test_what_a_context_has_to_hold_is_a_list_of_points(tmp_path: Path) -> None:
    test = {
        "vars": {"query": "How long?", "context": "A week."},
        "assert": [{"type": "context-recall", "threshold": 0.9, "value": "It takes a week."}],
    }
    (case,) = cases(converted(tmp_path, {**MINIMAL, "defaultTest": {"options": {"provider": "openai:j"}}, "tests": [test]}))
    assert case["contexts"] == ["A week."]
    (entry,) = case["evaluators"]
    assert (entry["context-recall"]["points"], entry["context-recall"]["min"]) == (["It takes a week."], 0.9)


def test_what_all_tests_are_held_against_is_their_own_context(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    (tmp_path / "data.bin").write_bytes(b"\xff")
    given = ["A week.", "file://lost.txt", "file://cat.png", "file://data.bin", None]
    tests = [{"vars": {"query": "How long?", "context": context}} for context in given]
    default = {"assert": [{"type": "context-relevance", "threshold": 0.5}]}
    rows = cases(converted(tmp_path, {**MINIMAL, "defaultTest": default, "tests": tests}))
    assert [row.get("contexts") for row in rows] == [["A week."], None, None, None, None]
    assert {row["vars"]["question"] for row in rows} == {"How long?"}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("models: {}\n", "is no configuration of promptfoo: it has no `prompts`"),
        ("[1]\n", "is no configuration of promptfoo"),
        ({**MINIMAL, "providers": ["echo"]}, "holds no provider that can be carried over"),
        ({**MINIMAL, "tests": []}, "holds no test that can be carried over"),
        ({**MINIMAL, "prompts": ["file://x.py"]}, "holds no prompt that can be carried over"),
    ],
)
def test_what_cannot_be_a_project_is_refused(tmp_path: Path, config: object, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        converted(tmp_path, config)
    assert why in str(refused.value)


TEXTS = ["file://x", "file://../x", "file:///*", "{{a}}", "a", "file://*"]
KEYS = ["vars", "tests", "assert", "options", "type", "value", "id", "config", "$ref", "a"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["prompts", "providers", "tests", "defaultTest", "evaluateOptions", "scenarios", "x"]), VALUES
    )
)
def test_any_configuration_is_converted_or_refused_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        converted(folder, {"prompts": ["{{a}}"], "providers": ["openai:m"], **config})
    except LlmopsError:
        return


def test_only_names_are_filled_in() -> None:
    assert filled(["{{a}} and {{ b }}", {"c": 1}], {"a": 1, "b": "x"}) == ["1 and x", {"c": 1}]
    for text in ("{{ a | upper }}", "{% if a %}b{% endif %}", "{{lost}}"):
        with pytest.raises(LeftOut, match="more than the name of a variable"):
            filled(text, {"a": "x"})
