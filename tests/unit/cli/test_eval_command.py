"""What `llmops eval` says of a name on its command line that does not exist."""

import json
from pathlib import Path

import pytest
from calling import FILES, call, project


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("-m smal", "--model: No model is called 'smal'.\nDid you mean `small`?"),
        ("-p sya", "--prompt: there is no prompt 'sya' in `prompts/`.\n"),
        ("datasets/say.jsonl", "'datasets/say.jsonl' is no suite, which is a YAML file.\n"),
        ("--filter tag=eazy", "No case of datasets/say.jsonl is selected.\nNone has the tag 'eazy'. Did you mean `easy`?"),
        ("--baseline nope", "'nope' names neither a run nor a prompt: there is no prompt 'nope'"),
        ("--dataset nope.jsonl", "--dataset: nope.jsonl: no such dataset file.\nValid: `datasets/say.jsonl`."),
        ("--dataset says.jsonl", "--dataset: says.jsonl: no such dataset file.\nDid you mean `datasets/say.jsonl`?"),
    ],
)
def test_a_wrong_name_is_the_fault_of_its_option_and_not_of_the_suite(tmp_path: Path, arguments: str, told: str) -> None:
    cases = FILES["datasets/say.jsonl"].replace('"c2"', '"c2", "tags": ["easy"]')
    done = call(project(tmp_path, **{"datasets/say.jsonl": cases}), "eval", *arguments.split())
    assert done.code == 2
    assert done.error.startswith(told)
    assert "evals/say.yaml" not in done.error


@pytest.mark.parametrize("command", ["eval --html", "eval -o", "compare say say --markdown"])
@pytest.mark.parametrize(("name", "told"), [("a.html", "Is a directory"), ("b/c.html", "Not a directory")])
def test_a_report_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path, command: str, name: str, told: str) -> None:
    project(tmp_path)
    (tmp_path / "a.html").mkdir()
    (tmp_path / "b").write_text("a file")
    done = call(tmp_path, *command.split(), str(tmp_path / name))
    assert (done.code, done.error.splitlines()[0]) == (2, f"{str(tmp_path / name)!r} cannot be written: {told}.")
    assert call(tmp_path, "runs", "list").out.startswith("No runs yet.")


@pytest.mark.parametrize("files", ["--html a.out --junit a.out", "-o a.json -o ./a.json", "--html a.html -o b/../a.html"])
def test_two_reports_in_one_file_are_refused_before_the_run(tmp_path: Path, files: str) -> None:
    done = call(project(tmp_path), "eval", *files.split())
    assert done.code == 2
    assert done.error.startswith("Two reports are to be written to 'a.")
    assert call(tmp_path, "runs", "list").out.startswith("No runs yet.")


@pytest.mark.parametrize("other", ["--html a.html", "-o a.json", "--json -o a.json", "--watch"])
def test_explain_goes_with_no_report_and_no_watch(tmp_path: Path, other: str) -> None:
    done = call(project(tmp_path), "eval", "--explain", *other.split())
    assert done.code == 2
    assert done.error.startswith("--explain runs nothing: there is no report to write, and nothing to do again.")
    assert call(tmp_path, "eval", "--explain", "--json").code == 0


def test_a_suite_is_found_by_its_name_in_every_command(tmp_path: Path) -> None:
    project(tmp_path, **{"evals/sub/more.yml": FILES["evals/say.yaml"]})
    for suite in ("say", "sub/more", "evals/say.yaml"):
        wrong = suite.replace("/say", "/sya") if "yaml" in suite else f"{suite}s"
        for command in ("eval", "status", "power", "judge next"):
            assert call(tmp_path, *command.split(), suite).error[:8] != "No suite"
            done = call(tmp_path, *command.split(), wrong)
            assert (done.code, done.error) == (2, f"No suite file {wrong!r}.\nDid you mean `{suite}`?")


def test_x_alone_stops_at_the_first_cell_that_did_not_pass(tmp_path: Path) -> None:
    suite = FILES["evals/say.yaml"].replace("any: expected", "all: [never said]")
    cases = "".join(f'{{"id": "c{number}", "vars": {{"word": "w{number}"}}, "expected": "x"}}\n' for number in range(40))
    project(tmp_path, **{"evals/say.yaml": suite, "datasets/say.jsonl": cases})
    done = call(tmp_path, "eval", "-x", "--concurrency", "1", "--json")
    (run,) = json.loads(done.out)["runs"]
    assert 0 < run["counts"]["cells"] < 40


def test_a_suite_in_a_folder_of_evals_is_run_and_validated(tmp_path: Path) -> None:
    project(tmp_path, **{"evals/sub/more.yaml": FILES["evals/say.yaml"], "evals/.drafts/no.yaml": "no suite"})
    assert "suites with their datasets: 2" in call(tmp_path, "validate").out
    (tmp_path / "evals/sub/more.yaml").write_text(FILES["evals/say.yaml"].replace("evaluators", "evaluator"))
    for command in ("validate", "eval"):
        done = call(tmp_path, command)
        assert done.code == 2
        assert "evals/sub/more.yaml:4:1: `evaluator`: unknown key." in done.error


def test_a_folder_stands_for_its_suites_unless_a_suite_has_its_name(tmp_path: Path) -> None:
    names = ("evals/sub/more.yaml", "evals/sub/deep/one.yml", "evals/both/in.yaml", "evals/both.yaml", "evals/.drafts/no.yaml")
    project(tmp_path, **dict.fromkeys(names, FILES["evals/say.yaml"]))

    def run(*named: str) -> list[str]:
        done = call(tmp_path, "eval", "--explain", "--json", *named)
        return [each["suite"] for each in json.loads(done.out)["suites"]]

    assert run("evals/sub") == run("sub") == ["evals/sub/deep/one.yml", "evals/sub/more.yaml"]
    assert run("evals/") == run()
    assert run("both") == ["evals/both.yaml"]
    assert run("evals/both/", "say") == ["evals/both/in.yaml", "evals/say.yaml"]
    assert call(tmp_path, "status", "sub", "--json").out.count('"suite"') == 2
    for name in ("prompts", "evals/.drafts"):
        assert call(tmp_path, "eval", name).error.startswith(f"No suite file {name!r}.")
    assert call(tmp_path, "power", "sub").error.startswith("No suite file 'sub'.")


def test_a_price_that_a_reader_is_given_is_foretold_as_it_is_counted(tmp_path: Path) -> None:
    price = "{id: embedded/reader-small, price: {input_per_million: 1000, output_per_million: 1000}}"
    project(tmp_path, **{"llmops.yaml": FILES["llmops.yaml"].replace("{id: embedded/reader-small}", price)})
    (run,) = json.loads(call(tmp_path, "eval", "--json").out)["runs"]
    (found,) = json.loads(call(tmp_path, "eval", "--explain", "--no-cache", "--json").out)["suites"]
    (foretold,) = found["estimates"]
    spent = sum(group["spend"]["spent_usd"] for group in run["groups"])
    assert spent > 0.01
    assert foretold["cost_usd"] == pytest.approx(spent, rel=0.2)


@pytest.mark.parametrize(
    ("command", "name"),
    [("eval --html", "evals/say.yaml"), ("eval --csv", "datasets/say.jsonl"), ("compare say say --markdown", "llmops.yaml")],
)
def test_a_report_does_not_replace_a_file_of_the_project(tmp_path: Path, command: str, name: str) -> None:
    file = project(tmp_path) / name
    before = file.read_text()
    done = call(tmp_path, *command.split(), str(file))
    assert (done.code, done.error.splitlines()[0]) == (2, f"{str(file)!r} is a file of yours, which a report would replace.")
    assert file.read_text() == before


def test_a_quiet_run_tells_why_it_is_incomplete(tmp_path: Path) -> None:
    prompt = FILES["prompts/say/prompt.j2"].replace("Say {{ word }}", "Say {{ word }} of {{ topic }}")
    cases = FILES["datasets/say.jsonl"].replace('"word": "sun"', '"word": "sun", "topic": "light"')
    project(tmp_path, **{"prompts/say/prompt.j2": prompt, "datasets/say.jsonl": cases})
    done = call(tmp_path, "eval", "-q")
    assert done.code == 3
    assert (
        "asks for 95 %; the first that could not: c1 · say · small: prompts/say/prompt.j2:8: `topic` is undefined." in done.out
    )


def test_a_quiet_run_tells_which_evaluator_failed(tmp_path: Path) -> None:
    suite = FILES["evals/say.yaml"].replace("contains: {any: expected}", 'regex: {pattern: "^(a|aa)+$", name: slow}')
    project(tmp_path, **{"evals/say.yaml": suite.replace("prompts: [say]\ntargets: [small]\n", "")})
    output = "a" * 60 + "!"
    (tmp_path / "datasets/say.jsonl").write_text(f'{{"id": "c1", "output": "{output}"}}\n')
    done = call(tmp_path, "eval", "-q")
    assert "c1 · recorded: slow: the pattern took longer" in done.out
