from pathlib import Path

import pytest
from calling import FILES, call, project


def test_a_valid_project_ends_in_one_line(tmp_path: Path) -> None:
    done = call(project(tmp_path), "validate")
    assert done.code == 0
    assert done.out.count("\n") == 1
    assert "prompts: 1" in done.out


def test_all_problems_of_all_files_are_told_at_once_sorted_by_place(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "llmops.yaml").write_text(FILES["llmops.yaml"].replace("concurrency", "concurency"))
    (tmp_path / "prompts/say/prompt.j2").write_text("user:\nSay {{ word }.\n")
    suite = FILES["evals/say.yaml"].replace("[say]", "[sya]").replace("contains: {any", "contains: {ani")
    (tmp_path / "evals/say.yaml").write_text(suite)
    (tmp_path / "datasets/say.jsonl").write_text('{"id": "1"}\n{"id": "1"}\n')
    done = call(tmp_path, "validate")
    assert done.code == 2
    places = [line.split(": ")[0] for line in done.error.splitlines() if not line.startswith(" ")]
    assert [place.split(":")[0] for place in places] == [
        "datasets/say.jsonl",
        "evals/say.yaml",
        "evals/say.yaml",
        "evals/say.yaml",
        "llmops.yaml",
        "prompts/say/prompt.j2",
    ]
    assert places[0] == "datasets/say.jsonl:2"
    assert places[1].startswith("evals/say.yaml:2:")
    assert "Did you mean `concurrency`?" in done.error


def test_names_of_models_and_indexes_are_looked_up(tmp_path: Path) -> None:
    project(tmp_path)
    suite = FILES["evals/say.yaml"].replace("[small]", "[smal]") + "index: docs\n"
    (tmp_path / "evals/say.yaml").write_text(suite)
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert "No model is called 'smal'" in done.error
    assert "Did you mean `small`?" in done.error
    assert "No index is called 'docs'" in done.error


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("{{ word }}", "{{ wrod }}", "8: `wrod` is undefined: no case of datasets/say.jsonl has such a variable.\n"),
        ("in contexts", "in context", "8: `context` is undefined: no case of datasets/say.jsonl has such a variable.\n"),
        ("{{ word }}", "{word}", "8: `{word}` is sent as it stands: a variable is written in two braces.\n"),
    ],
)
def test_a_prompt_that_would_ask_without_its_variable_is_refused(tmp_path: Path, before: str, after: str, told: str) -> None:
    text = FILES["prompts/say/prompt.j2"].replace(before, after)
    project(tmp_path, **{"prompts/say/prompt.j2": text})
    for command in ("validate", "eval"):
        done = call(tmp_path, command)
        assert (done.code, f"prompts/say/prompt.j2:{told}" in done.error) == (2, True), done


def test_a_suite_that_has_no_answer_and_makes_none_is_refused(tmp_path: Path) -> None:
    suite = FILES["evals/say.yaml"].replace("prompts: [say]\ntargets: [small]\n", "")
    project(tmp_path, **{"evals/say.yaml": suite})
    for command in ("validate", "eval"):
        done = call(tmp_path, command)
        told = "evals/say.yaml:1:1: `dataset`: no case of datasets/say.jsonl has an `output`, and the suite names no `prompts`"
        assert (done.code, told in done.error) == (2, True), done
    assert call(tmp_path, "eval", "--model", "small", "--prompt", "say").code == 0
    cases = FILES["datasets/say.jsonl"].replace('"c2"', '"c2", "output": "sun"')
    project(tmp_path, **{"evals/say.yaml": suite, "datasets/say.jsonl": cases})
    assert call(tmp_path, "validate").code == 0


@pytest.mark.parametrize(
    ("name", "ours"),
    [("faithfulness", "hallucination"), ("exact_match", "equals"), ("is-json", "json-schema"), ("g-eval", "criteria")],
)
def test_an_evaluator_of_another_tool_is_told_by_our_name(tmp_path: Path, name: str, ours: str) -> None:
    project(tmp_path, **{"evals/say.yaml": FILES["evals/say.yaml"] + f"  - {name}\n"})
    assert f"No evaluator is called '{name}'.\n    Did you mean `{ours}`?" in call(tmp_path, "validate").error


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("min: 0.95", "2 cases can never show a rate of 0.95, even when all pass: 59 are needed.\n"),
        ("min: 0.5", "Add cases, or lower `min`: when all 2 pass, they show 0.22."),
        ("min: 1.0", "no number of cases shows a rate of 1, so that this rule can never pass.\n    That none may fail is"),
        ("min: 0.2", ""),
        ("max: 0.9", ""),
    ],
)
def test_a_rate_that_the_cases_can_never_show_is_refused(tmp_path: Path, rule: str, told: str) -> None:
    suite = f"{FILES['evals/say.yaml']}gate:\n  - {{metric: contains.pass_rate, {rule}}}\n"
    done = call(project(tmp_path, **{"evals/say.yaml": suite}), "validate")
    assert done.code == (2 if told else 0)
    assert told in done.error
    project(tmp_path, **{"evals/say.yaml": f"{suite}on_inconclusive: warn\n"})
    assert call(tmp_path, "validate").code == 0


def test_a_variable_that_only_some_cases_need_or_the_command_line_gives_is_no_fault(tmp_path: Path) -> None:
    text = FILES["prompts/say/prompt.j2"] + "{% if word == 'sun' %}{{ hint }}{% endif %}\n"
    project(tmp_path, **{"prompts/say/prompt.j2": text})
    assert call(tmp_path, "validate").code == 0
    project(tmp_path, **{"prompts/say/prompt.j2": FILES["prompts/say/prompt.j2"] + "{{ hint }}\n"})
    assert call(tmp_path, "eval").code == 2
    assert call(tmp_path, "eval", "--var", "hint=x").code == 0


def test_a_folder_where_a_pattern_was_expected_is_told_with_its_pattern(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook/leave.md").write_text("# Leave\n")
    settings = FILES["llmops.yaml"] + "indexes: {docs: {corpus: {paths: [handbook/]}}}\n"
    (tmp_path / "llmops.yaml").write_text(settings)
    assert "'handbook/' is a folder; its files are `handbook/**/*.md`" in call(tmp_path, "validate").error
    told = call(tmp_path, "rag", "index").error
    assert "handbook/: is a folder; its files are `handbook/**/*.md`" in told


def test_a_model_and_an_embedder_of_no_provider_are_told_before_anything_is_asked(tmp_path: Path) -> None:
    project(tmp_path)
    models = """models:
  small: {id: opena/gpt-4o}
indexes:
  docs: {corpus: {paths: ["*.yaml"]}, embedder: {kind: litellm, name: opena/text-embedding-3-small}}
"""
    (tmp_path / "llmops.yaml").write_text(models)
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert "llmops.yaml:2:11: `models.small.id`: LiteLLM knows no provider `opena`, which 'opena/gpt-4o' names." in done.error
    assert "llmops.yaml:4:" in done.error
    assert done.error.count("Did you mean `openai`?") == 2
    asked = call(tmp_path, "eval")
    assert (asked.code, asked.out) == (2, "")
    assert "`models.small.id`: LiteLLM knows no provider `opena`" in asked.error


def test_an_evaluator_of_one_case_is_checked_and_told_with_the_line_of_the_case(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "datasets/say.jsonl").write_text('{"id": "1"}\n{"id": "2", "evaluators": ["contians"]}\n')
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert done.error.startswith("datasets/say.jsonl:2: `evaluators`:")
    assert "contains" in done.error


def test_a_broken_committed_version_is_told_although_no_suite_names_it(tmp_path: Path) -> None:
    project(tmp_path)
    versions = tmp_path / "prompts/say/versions"
    versions.mkdir()
    (versions / "1.0.0.j2").write_text("user:\n{% if %}\n")
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert "prompts/say/versions/1.0.0.j2:2" in done.error


def test_a_gate_rule_on_an_evaluator_that_does_not_exist_is_told(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "evals/say.yaml").write_text(FILES["evals/say.yaml"] + "gate:\n  - {metric: contians.pass_rate, min: 1}\n")
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert done.error.startswith("evals/say.yaml:7:6: `gate[0].metric`: no evaluator is called 'contians'.")
    assert "Did you mean `contains`?" in done.error


def test_a_case_may_not_name_an_evaluator_of_the_suite_again(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "datasets/say.jsonl").write_text('{"id": "1", "evaluators": [{"contains": {"any": ["x"]}}, "latency"]}\n')
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert done.error.startswith(
        "datasets/say.jsonl:1: `evaluators`: the suite evals/say.yaml has an evaluator 'contains' too."
    )
    assert "latency" not in done.error


EVALUATORS = """\
evaluators:
  - contains: {any: expected}
  - latency
  - cost
  - retrieval: {k: [1, 5]}
  - toxicity
  - toxicity: {name: local, backend: "local:some/model"}
  - rubric: {judge: paid, levels: {1: bad, 5: good}, min: 3}
  - hallucination: {name: claims, backend: "judge:paid"}
  - python: checks.py:check
"""


def gated(folder: Path, rule: str, evaluators: str = EVALUATORS, more: str = "index: docs\nrepeat: 3\n") -> str:
    """What `validate` says of a suite with one rule."""
    head = "dataset: datasets/say.jsonl\nprompts: [say]\ntargets: [small]\n"
    project(
        folder, **{"evals/say.yaml": f"{head}{more}{evaluators}gate:\n  - {rule}\n", "checks.py": "def check(a): return 1\n"}
    )
    (folder / "llmops.yaml").write_text(FILES["llmops.yaml"] + 'indexes:\n  docs: {corpus: {paths: ["prompts/**/*.j2"]}}\n')
    return call(folder, "validate").error


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{metric: contains.pass_rat, min: 0.5}", "metric`: `contains` has no figure 'pass_rat'.|Did you mean `pass_rate`?"),
        ("{metric: retrieval.recall@3, min: 0.5}", "metric`: `retrieval` has no figure 'recall@3'.|Did you mean `recall@"),
        ("{metric: toxicity.hat, max: 0.5}", "metric`: `toxicity` has no figure 'hat'.|Did you mean `hate`?"),
        ("{metric: cost.mean, max: 0.5, target: smal}", "target`: the suite has no target 'smal'.|Did you mean `small`?"),
        ("{no_failures: {tags: [critcal]}}", "no_failures.tags`: no case of datasets/say.jsonl has the tag 'critcal'."),
        ("{no_new_failures: {tags: [critcal]}}", "tags`: no case of datasets/say.jsonl has the tag 'critcal'."),
        ("{metric: latency.pass_rate, min: 0.5}", "metric`: `latency` has no limit, so that nothing passes or fails."),
        ("{metric: contains.pass^4, min: 0.5}", "metric`: `pass^4` takes 4 answers per case, and `repeat` is 3.|`repeat: 4`"),
        ("{metric: cost.total, non_inferior_to: baseline, margin: 1}", "metric`: `total` is a figure of a whole run"),
        ("{metric: contains.pass_rate, min: 80}", "min`: 80 is no limit: `contains.pass_rate` lies within 0 and 1.|mean 0.8?"),
        ("{metric: toxicity.mean, max: 50}", "max`: 50 is no limit: `toxicity.mean` lies within 0 and 1.|Did you mean 0.5?"),
        ("{metric: rubric.mean, min: 6}", "min`: 6 is no limit: `rubric.mean` lies within 1 and 5."),
        ("{metric: latency.p95, max: -1}", "max`: -1 is no limit: `latency.p95` lies at 0 or above."),
        ("{metric: contains.pass_rate, min: 0.9, max: 0.1}", "gate[0]`: `min` 0.9 is above `max` 0.1: no value could pass"),
        ("{metric: contains.pass_rate, non_inferior_to: baseline, margin: 5}", "margin`: 5 is no margin: `contains.pass_rate`"),
    ],
)
def test_a_rule_that_no_run_could_judge_or_fail_is_refused(tmp_path: Path, rule: str, told: str) -> None:
    error = gated(tmp_path, rule)
    assert error.startswith("evals/say.yaml:17:")
    assert all(part in error for part in told.split("|")), error


@pytest.mark.parametrize(
    "rule",
    [
        "{metric: retrieval.recall@5, min: 0.5}",
        "{metric: toxicity.self-harm, max: 0.5}",
        "{metric: local.whatever, max: 0.5}",
        "{metric: latency.p95, max: 80}",
        "{metric: python.mean, min: 80}",
        "{metric: contains.pass^3, min: 1}",
        "{metric: claims.unsupported, max: 0.1}",
        "{metric: rubric.corrected_pass_rate, min: 0.5}",
        "{metric: latency.mean, non_inferior_to: baseline, margin: 5}",
    ],
)
def test_a_rule_that_a_run_may_judge_is_valid(tmp_path: Path, rule: str) -> None:
    assert gated(tmp_path, rule) == ""


@pytest.mark.parametrize(("limits", "told"), [("max: 50", "Did you mean 0.5?"), ("min: -1", "lies within 0 and 1")])
def test_a_limit_that_every_value_passes_is_refused(tmp_path: Path, limits: str, told: str) -> None:
    suite = FILES["evals/say.yaml"] + f"  - toxicity: {{{limits}}}\n"
    done = call(project(tmp_path, **{"evals/say.yaml": suite}), "validate")
    assert done.error.startswith(f"evals/say.yaml:6:16: `evaluators[1].toxicity.{limits[:3]}`: ")
    assert told in done.error


@pytest.mark.parametrize("command", ["validate", "eval"])
def test_a_field_that_no_case_has_and_a_metric_that_nothing_gives_are_refused(tmp_path: Path, command: str) -> None:
    suite = FILES["evals/say.yaml"].replace("any: expected", "all: expcted") + "gate:\n  - {metric: contains.mena, min: 1}\n"
    done = call(project(tmp_path, **{"evals/say.yaml": suite}), command)
    assert done.code == 2
    field = "evals/say.yaml:5:16: `evaluators[0].contains.all`: no case of datasets/say.jsonl has a field 'expcted'."
    assert field in done.error
    assert "Did you mean `expected`? The cases have `contexts`, `expected`, `id`, `word`." in done.error
    assert "`contains` has no figure 'mena'" in done.error


@pytest.mark.parametrize("option", ["any: the moon", "all: the moon"])
def test_a_text_in_place_of_a_field_is_refused_with_the_way_to_write_it(tmp_path: Path, option: str) -> None:
    suite = FILES["evals/say.yaml"].replace("any: expected", option)
    told = call(project(tmp_path, **{"evals/say.yaml": suite}), "validate").error
    way = f"{option.split(':')[0]}: ['the moon']"
    assert f"A literal text stands in a list: `{way}`." in told
    write = suite.replace(option, way)
    assert call(project(tmp_path, **{"evals/say.yaml": write}), "validate").code == 0


def test_a_field_that_the_command_line_gives_is_there(tmp_path: Path) -> None:
    suite = FILES["evals/say.yaml"].replace("any: expected", "all: wanted")
    project(tmp_path, **{"evals/say.yaml": suite})
    assert "no case of" in call(tmp_path, "eval", "--explain").error
    assert call(tmp_path, "eval", "--explain", "--var", "wanted=moon").code == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "llmops.yaml",
            '"prompts/**/*.j2"',
            '"dosc/**/*.md"',
            "llmops.yaml:10:19: `indexes.docs.corpus.paths`: no file",
        ),
        ("llmops.yaml", 'paths: ["prompts/**/*.j2"]', "jsonl: c.jsonl", "indexes.docs.corpus.jsonl`: there is no 'c.jsonl'."),
        (
            "evals/say.yaml",
            "evaluators:",
            "query: wrod\nevaluators:",
            "evals/say.yaml:5:1: `query`: Case 'c1' has no text variable",
        ),
        ("evals/say.yaml", "contains: {any: expected}", "tone: {judge: small, qualities: [kind]}", "cannot judge."),
        (".env", "", 'SOME_KEY="a\\nb"\nOTHER_TOKEN="a\\nb"\n', ".env:2: `OTHER_TOKEN`: holds a control character"),
    ],
)
def test_what_a_run_would_refuse_is_told(tmp_path: Path, file: str, old: str, new: str, told: str) -> None:
    project(tmp_path, **{".env": ""})
    (tmp_path / "llmops.yaml").write_text(FILES["llmops.yaml"] + 'indexes:\n  docs: {corpus: {paths: ["prompts/**/*.j2"]}}\n')
    (tmp_path / "evals/say.yaml").write_text(FILES["evals/say.yaml"].replace("evaluators:", "index: docs\nevaluators:"))
    assert call(tmp_path, "validate").code == 0
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text(text.replace(old, new) if old else new)
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert told in done.error


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "calibrations/contains.json:1:2: is not valid JSON"),
        ("[]", "calibrations/contains.json: holds a list of 0; a mapping of keys was expected."),
        ('{"evaluator": "contains"}', "calibrations/contains.json: `identity`: is missing."),
        (
            '{"evaluator": "contains", "identity": "a", "labels": [{"case": "a", "output": "b", "label": "yes"}]}',
            "calibrations/contains.json: `labels[0].label`: should be a valid boolean; found 'yes'.",
        ),
    ],
)
def test_a_broken_calibration_is_told_with_a_next_step_that_works(tmp_path: Path, text: str, told: str) -> None:
    path = project(tmp_path) / "calibrations/contains.json"
    path.parent.mkdir()
    path.write_text(text)
    done = call(tmp_path, "validate")
    assert done.code == 2
    assert told in done.error
    assert "move it away and make it anew: llmops judge calibrate" in done.error
