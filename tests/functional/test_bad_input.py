"""What a newcomer gets wrong ends in a message that says where, what and what next, with its exit code."""

from pathlib import Path

import pytest
from command_line import edit, llmops, project

RENDER = ("prompt", "render", "say", "--var", "word=x")
BASE = "http://127.0.0.1:9/v1"


def refused(folder: Path, *told: str, code: int = 2, arguments: tuple[str, ...] = ("eval",)) -> None:
    done = llmops(folder, *arguments)
    shown = done.stdout + done.stderr
    assert done.returncode == code, shown
    for text in told:
        assert text in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) < 45


def test_a_typo_in_a_key_names_its_place_and_the_nearest_key(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "llmops.yaml", "timeout_s", "timeout")
    refused(tmp_path, "llmops.yaml:2:", "models.m.timeout", "Did you mean `timeout_s`?")


def test_a_typo_in_a_suite_and_in_an_evaluator(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "evals/say.yaml", "targets", "target")
    refused(tmp_path, "evals/say.yaml:3:1", "Did you mean `targets`?")
    edit(tmp_path / "evals/say.yaml", "target:", "targets:")
    edit(tmp_path / "evals/say.yaml", "contains: {any", "contain: {any")
    refused(tmp_path, "evals/say.yaml:5:", "contain", "contains")


def test_an_id_as_other_tools_write_it(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "llmops.yaml", "id: openai/m", "id: 'openai:m'")
    for command in ("eval", "validate"):
        refused(tmp_path, "llmops.yaml:2:", "`models.m.id`", "Did you mean `openai/m`?", arguments=(command,))


def test_a_name_that_does_not_exist(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "evals/say.yaml", "prompts: [say]", "prompts: [sya]")
    refused(tmp_path, "evals/say.yaml:2:", "sya", "say")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "holds no case"),
        (b'{"id": "1", "vars": {}}\n{"id": "1", "vars": {}}\n', "say.jsonl:2"),
        (b'{"id": "1", "vars": {}}\n{"id": "2", "vars": {}\n', "say.jsonl:2:"),
        (b'{"id": "1", "var": {}}\n', "Did you mean `vars`?"),
        ('{"id": "1", "vars": {}}\n'.encode("utf-16"), "UTF-16"),
        (b'{"id": "1", "vars": {"word": "\xff"}}\n', "not UTF-8"),
    ],
)
def test_a_dataset_that_is_no_dataset(tmp_path: Path, text: bytes, told: str) -> None:
    (project(tmp_path, BASE) / "datasets/say.jsonl").write_bytes(text)
    refused(tmp_path, "datasets/say.jsonl", told)


def test_a_missing_dataset(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "evals/say.yaml", "datasets/say.jsonl", "datasets/sai.jsonl")
    for command in ("eval", "validate"):
        told = "evals/say.yaml:1:1: `dataset`: datasets/sai.jsonl: no such dataset file."
        refused(tmp_path, told, "Did you mean `datasets/say.jsonl`?", arguments=(command,))


def test_a_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    path = project(tmp_path, BASE) / "datasets/say.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    done = llmops(tmp_path, "eval", "--explain")
    assert done.returncode == 0, done.stderr
    assert "3 cells" in done.stdout


def test_a_template_with_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "prompts/say/prompt.j2", "{{ word }}", "{{ word }")
    refused(tmp_path, "prompts/say/prompt.j2:6")


def test_a_prompt_that_says_where_a_call_goes_is_refused_everywhere(tmp_path: Path) -> None:
    edit(
        project(tmp_path, BASE) / "prompts/say/prompt.j2",
        "variables:",
        "parameters: {api_base: http://127.0.0.1:9}\nvariables:",
    )
    told = ("prompts/say/prompt.j2:2:14: `parameters.api_base`", "its `params` in llmops.yaml")
    for arguments in (("validate",), ("prompt", "lint"), ("eval",), RENDER):
        refused(tmp_path, *told, arguments=arguments)
    refused(tmp_path, *told, code=1, arguments=("prompt", "check"))


def test_an_undefined_variable_is_refused_with_its_line_before_anything_is_asked(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "prompts/say/prompt.j2", "{{ word }}", "{{ wrod }}")
    for arguments in (("validate",), ("eval",), RENDER):
        refused(tmp_path, "prompts/say/prompt.j2:6: `wrod` is undefined", "Did you mean `word`?", arguments=arguments)


@pytest.mark.parametrize("command", ["eval", "validate"])
def test_a_variable_that_no_case_has_is_refused_before_the_run(tmp_path: Path, command: str) -> None:
    path = project(tmp_path, BASE) / "datasets/say.jsonl"
    path.write_text(path.read_text().replace('"word"', '"wrod"'))
    told = (
        "evals/say.yaml:2:1: `prompts`: no case of datasets/say.jsonl has the variable 'word', which the prompt 'say' requires."
    )
    refused(tmp_path, told, "Did you mean `wrod`? The cases have `wrod`.", arguments=(command,))
    if command == "eval":
        refused(tmp_path, "c0000", code=3, arguments=("eval", "--var", "word=moon"))


def test_a_missing_key_names_the_variable(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "llmops.yaml", f"api_base: {BASE}, ", "")
    refused(tmp_path, "OPENAI_API_KEY", ".env")


def test_a_variable_of_the_command_line_that_nothing_reads(tmp_path: Path) -> None:
    told = "--var: no prompt or evaluator reads 'wrod', and no case has it."
    refused(project(tmp_path, BASE), told, "Did you mean `word`?", arguments=("eval", "--var", "wrod=x"))


def test_a_variable_of_the_command_line_that_is_called_as_a_field_of_the_case(tmp_path: Path) -> None:
    told = "--var: 'expected' is a case's own field, which no variable replaces."
    refused(project(tmp_path, BASE), told, "--dataset FILE", arguments=("eval", "--var", "expected=x"))
    refused(tmp_path, "'contexts' is a case's own field", arguments=("eval", "--var", "contexts=x"))


def test_no_project_and_an_unknown_command(tmp_path: Path) -> None:
    refused(tmp_path, "llmops.yaml", "llmops init")
    refused(tmp_path, "Did you mean", arguments=("evla",))


@pytest.mark.parametrize(("option", "variable"), [("--debug", "0"), ("", "1")])
def test_a_traceback_changes_neither_the_message_nor_the_code(tmp_path: Path, option: str, variable: str) -> None:
    arguments = ([option] if option else []) + ["eval", "--model", "nope"]
    done = llmops(project(tmp_path, BASE), *arguments, LLMOPS_DEBUG=variable)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "error: --model: No model is called 'nope'.\nValid: `m`.\n" in done.stderr


def test_a_corrupt_and_a_newer_store_are_refused_and_kept(tmp_path: Path) -> None:
    store = project(tmp_path, BASE) / ".llmops/llmops.db"
    store.parent.mkdir()
    store.write_bytes(b"this is not a database" * 100)
    refused(tmp_path, "corrupt", "Move the file away")
    assert store.read_bytes().startswith(b"this is not")


def test_an_unwritable_store(tmp_path: Path) -> None:
    (project(tmp_path, BASE) / ".llmops").write_text("a file where the folder should be")
    refused(tmp_path, ".llmops")


def test_validate_lists_all_problems_at_once(tmp_path: Path) -> None:
    edit(project(tmp_path, BASE) / "evals/say.yaml", "targets: [m]", "targets: [n]")
    edit(tmp_path / "evals/say.yaml", "prompts: [say]", "prompts: [sya]")
    (tmp_path / "datasets/say.jsonl").write_text("{}\n")
    refused(tmp_path, "evals/say.yaml:2:", "evals/say.yaml:3:", "datasets/say.jsonl:1", arguments=("validate",))


@pytest.mark.parametrize("command", ["eval", "validate"])
def test_a_rule_on_an_evaluator_that_nobody_runs_is_refused(tmp_path: Path, command: str) -> None:
    edit(project(tmp_path, BASE) / "evals/say.yaml", "metric: contains.pass_rate", "metric: contain.pass_rate")
    refused(tmp_path, "evals/say.yaml:9:", "no evaluator is called 'contain'", "Did you mean `contains`?", arguments=(command,))


@pytest.mark.parametrize("command", ["eval", "validate"])
def test_a_ranking_without_an_index_is_refused(tmp_path: Path, command: str) -> None:
    edit(project(tmp_path, BASE) / "evals/say.yaml", "  - latency\n", "  - retrieval\n")
    refused(tmp_path, "evals/say.yaml:6:", "the suite has no `index`", arguments=(command,))


def test_a_label_that_a_missing_suite_guards_is_told_before_it_shall_move(tmp_path: Path) -> None:
    with (project(tmp_path, BASE) / "llmops.yaml").open("a", encoding="utf-8") as settings:
        settings.write("labels:\n  production: {protected: true, guarded_by: [evals/sya.yaml]}\n")
    told = ("llmops.yaml:4:", "there is no suite 'evals/sya.yaml'", "Did you mean `evals/say.yaml`?")
    refused(tmp_path, *told, arguments=("validate",))
