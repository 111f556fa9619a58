import csv
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest
from calling import call, project

from llmops.adapters.sql.store import open_store
from llmops.domain.models import Usage
from llmops.domain.ports import Store
from llmops.domain.reports import Counts, EvaluatorSummary, Group, LatencySummary, Metric, Report, RuleVerdict, Spend, Timing
from llmops.domain.retrieval import Hit
from llmops.domain.runs import CellResult, EvaluatorResult, Node, OutcomeStatus, Run
from llmops.domain.serial import plain
from llmops.evaluation.datasets import load_dataset
from llmops.prompting.registry import Registry

SUITE = "evals/say.yaml"
STARTED = "2026-01-02T03:04:05.000+00:00"


def result(position: int, case: str, target: str, output: str | None, passed: bool | None) -> CellResult:
    reason = "" if passed else "the fact is missing"
    evaluations: Mapping[str, EvaluatorResult] = (
        {"contains": EvaluatorResult("scored", float(passed), passed, reason)} if passed is not None else {}
    )
    error = "the endpoint is down" if output is None else None
    status: OutcomeStatus = "failed" if output is None else "scored"
    usage = None if output is None else Usage(7, 2)
    more = {"tags": ("sky", "near"), "node_keys": {"retrieve": f"hits-{case}"}}
    return CellResult(position, case, "say", target, 0, status, output, error, evaluations, usage, **more)  # type: ignore[arg-type]


RESULTS = [
    result(0, "c1", "small", "The moon.\x1b[31m", True),
    result(1, "c1", "paid", "A star.", False),
    result(2, "c2", "small", None, None),
]


def report(run_id: str) -> Report:
    metric = Metric("contains.pass_rate", 0.5, 0.1, 0.9, 2, "%", "Wilson")
    summary = EvaluatorSummary("contains", "contains", 2, 0, 0, 1, 2, (metric,))
    spend = Spend(10, 5, False, None, None, 2, 0)
    group = Group("say", "small", "embedded/reader-small", 2, 1, 1, (summary,), spend, LatencySummary(1, 0, 0.5))
    rule = RuleVerdict("contains.pass_rate >= 0.80", "say", "small", "fail", 0.5, 0.1, 0.9, 2)
    counts = Counts(3, 2, 1, 0, 2, 2, 0, 2, 0)
    timing = Timing(STARTED, STARTED, 1.0)
    heads = (1, "0.1.0", run_id, SUITE, "Says words.", "finished", "fail", 1, 0.67, None)
    return Report(*heads, (group,), (rule,), counts, timing, ("a note",), (RESULTS[1],))  # type: ignore[arg-type]


def snapshot(folder: Path) -> dict[str, object]:
    dataset = load_dataset(folder / "datasets/say.jsonl", folder)
    return {
        "dataset": {"path": dataset.path, "hash": dataset.content_hash},
        "prompts": {"say": Registry(folder).working_copy("say").hash},
        "selection": {"variables": {}},
    }


def begin(store: Store, folder: Path, run_id: str) -> None:
    store.begin_run(Run(run_id, SUITE, "running", STARTED, None, f"plan-{run_id}", 3, snapshot(folder)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a finished run `run-a` and a run `run-b` that was killed."""
    project(tmp_path)
    store = open_store("sqlite:///.llmops/llmops.db", tmp_path)
    begin(store, tmp_path, "run-a")
    hits = [plain(Hit("The moon is far.", "docs/sky.md", "Sky"))]
    store.commit([Node("hits-c1", "retrieve", hits, "run-a")], "run-a", RESULTS)
    store.finish_run("run-a", "finished", STARTED, plain(report("run-a")))
    begin(store, tmp_path, "run-b")
    store.close()
    return tmp_path


def test_runs_are_listed_newest_first(folder: Path) -> None:
    rows = json.loads(call(folder, "runs", "list", "--json").out)
    assert [(row["id"], row["status"]) for row in rows] == [("run-b", "running"), ("run-a", "finished")]
    assert [(row["verdict"], row["partial"]) for row in rows] == [(None, False), ("fail", False)]
    _, newest, last = (line.split() for line in call(folder, "runs", "list").out.splitlines())
    assert (newest, last) == (["run-b", SUITE, "3", "running"], ["run-a", SUITE, "3", "fail"])
    assert "run-a" not in call(folder, "runs", "list", "--limit", "1").out


def test_a_run_is_shown_again_as_it_was_reported(folder: Path) -> None:
    done = call(folder, "runs", "show", "run-a")
    assert done.code == 0
    for text in ("Says words.", "50.0 %", "contains.pass_rate >= 0.80", "note: a note", "FAIL (exit 1)"):
        assert text in done.out
    (run,) = json.loads(call(folder, "runs", "show", "run-a", "--json").out)["runs"]
    assert {key: value for key, value in run.items() if key != "results"} == plain(report("run-a"))
    assert [each["case_id"] for each in run["results"]] == ["c1", "c1", "c2"]


def test_a_run_without_a_report_names_the_command_that_continues_it(folder: Path) -> None:
    done = call(folder, "runs", "show")
    assert done.code == 2
    assert f"llmops eval {SUITE}" in done.error
    assert "has no result yet" in call(folder, "runs", "show", "--outputs").error


def test_outputs_stand_beside_each_other_below_their_passages_and_prompt(folder: Path) -> None:
    done = call(folder, "runs", "show", "run-a", "--outputs", "--case", "c1")
    assert done.code == 0
    lines = done.out.splitlines()
    assert any("say · small" in line and "say · paid" in line for line in lines)
    assert any("The moon." in line and "A star." in line for line in lines)
    for text in ("docs/sky.md > Sky", "given", "<The moon is far.> <A passage.> Say moon x1.", "the fact is missing"):
        assert text in done.out
    assert "c2" not in done.out
    assert "\x1b" not in done.out


def test_a_cell_without_an_answer_shows_its_error(folder: Path) -> None:
    assert "the endpoint is down" in call(folder, "runs", "show", "run-a", "--outputs").out


def test_a_prompt_or_dataset_that_changed_is_said_and_not_rendered(folder: Path) -> None:
    prompt = folder / "prompts/say/prompt.j2"
    before = prompt.read_text()
    prompt.write_text(before.replace("Say", "Sing"))
    done = call(folder, "runs", "show", "run-a", "--outputs")
    assert "the prompt say has changed since" in done.out
    assert "Sing" not in done.out
    prompt.write_text(before)
    (folder / "datasets/say.jsonl").write_text('{"id": "c1", "vars": {"word": "comet"}}\n')
    done = call(folder, "runs", "show", "run-a", "--outputs")
    assert "the dataset datasets/say.jsonl has changed since" in done.out
    assert "comet" not in done.out
    assert "The moon is far." in done.out


def test_outputs_as_json(folder: Path) -> None:
    first, second = json.loads(call(folder, "runs", "show", "run-a", "--outputs", "--json").out)
    assert [each["source"] for each in first["hits"]] == ["docs/sky.md", "given"]
    assert first["prompts"]["say"][0]["content"].endswith("Say moon x1.")
    assert [each["output"] for each in first["results"]] == ["The moon.\x1b[31m", "A star."]
    assert second["case_id"] == "c2"


def test_results_as_lines_of_json(folder: Path) -> None:
    assert call(folder, "runs", "export", "run-a", "-o", str(folder / "run.jsonl")).code == 0
    lines = [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
    assert [(each["run"], each["case_id"]) for each in lines] == [("run-a", "c1"), ("run-a", "c1"), ("run-a", "c2")]


def test_a_csv_file_has_a_row_for_each_evaluator_with_what_the_answer_took(folder: Path) -> None:
    assert call(folder, "runs", "export", "run-a", "-o", str(folder / "run.csv")).code == 0
    rows = list(csv.DictReader((folder / "run.csv").read_text(encoding="utf-8").splitlines()))
    names = ("case", "target", "evaluator", "input_tokens", "output_tokens", "tags")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("c1", "small", "contains", "7", "2", "sky, near"),
        ("c1", "paid", "contains", "7", "2", "sky, near"),
        ("c2", "small", "", "", "", "sky, near"),
    ]


def test_a_parquet_file_holds_what_the_csv_file_holds(folder: Path) -> None:
    path = folder / "run.parquet"
    done = call(folder, "runs", "export", "run-a", "-o", str(path))
    if find_spec("pyarrow") is None:
        assert (done.code, path.exists()) == (2, False)
        assert 'pip install "llmops[parquet]"' in done.error
        return
    parquet = import_module("pyarrow.parquet")
    rows = parquet.read_table(path).to_pylist()
    assert [(row["case"], row["target"], row["passed"]) for row in rows] == [
        ("c1", "small", True),
        ("c1", "paid", False),
        ("c2", "small", None),
    ]
    assert rows[0]["output"] == "The moon.\x1b[31m"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".run")] == []
    assert call(folder, "runs", "export", "run-a", "-o", str(folder / "llmops.yaml/run.parquet")).code == 2


def test_a_run_is_deleted_with_its_results_and_a_baseline_only_by_force(folder: Path) -> None:
    assert call(folder, "runs", "baseline", "run-a").code == 0
    done = call(folder, "runs", "delete", "run-a")
    assert (done.code, "is the baseline of" in done.error) == (2, True)
    assert "1 run removed, with 3 results" in call(folder, "runs", "delete", "run-a", "--force").out
    assert [row["id"] for row in json.loads(call(folder, "runs", "list", "--json").out)] == ["run-b"]
    assert "Choose one" in call(folder, "runs", "baseline").out
    store = open_store("sqlite:///.llmops/llmops.db", folder)
    assert (list(store.results("run-a")), set(store.nodes(["hits-c1"]))) == ([], {"hits-c1"})
    store.close()


def test_old_runs_go_and_those_that_are_needed_stay(folder: Path) -> None:
    store = open_store("sqlite:///.llmops/llmops.db", folder)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    store.begin_run(Run("run-going", SUITE, "running", now, None, "plan", 3, {}))
    for number in range(3):
        begin(store, folder, f"run-{number}")
    store.close()
    assert call(folder, "runs", "baseline", "run-a").code == 0
    assert "0 runs removed" in call(folder, "runs", "gc").out
    assert "3 runs removed" in call(folder, "runs", "gc", "--keep", "1").out
    left = [row["id"] for row in json.loads(call(folder, "runs", "list", "--json").out)]
    assert left == ["run-2", "run-going", "run-a"]
    assert "may be going on" in call(folder, "runs", "delete", "run-going").error


def test_runs_that_were_made_aside_crowd_out_no_other(folder: Path) -> None:
    store = open_store("sqlite:///.llmops/llmops.db", folder)
    for number in range(3):
        store.begin_run(Run(f"aside-{number}", SUITE, "running", STARTED, None, "plan", 3, {"options": {"aside": True}}))
    store.close()
    assert "3 runs removed" in call(folder, "runs", "gc", "--keep", "1").out
    left = [row["id"] for row in json.loads(call(folder, "runs", "list", "--json").out)]
    assert left == ["aside-2", "run-b"]


def test_an_unknown_run_and_an_unknown_case(folder: Path) -> None:
    assert "llmops runs list" in call(folder, "runs", "show", "nothing").error
    assert "has no case 'c9'" in call(folder, "runs", "show", "run-a", "--case", "c9").error


def test_a_run_is_exported_by_the_suffix(folder: Path) -> None:
    for suffix in ("json", "xml", "md", "csv"):
        assert call(folder, "runs", "export", "run-a", "-o", str(folder / f"out/run.{suffix}")).code == 0
    assert len(json.loads((folder / "out/run.json").read_text())["runs"]) == 1
    assert ElementTree.parse(folder / "out/run.xml").getroot().tag == "testsuites"
    assert (folder / "out/run.md").read_text().startswith("## evals")
    assert (folder / "out/run.csv").read_text().startswith("run,suite,")
    assert ".jsonl" in call(folder, "runs", "export", "--help").out
    assert call(folder, "runs", "export", "run-a", "-o", "run.pdf").code == 2


def test_an_export_that_cannot_be_written_is_told(folder: Path) -> None:
    done = call(folder, "runs", "export", "run-a", "-o", str(folder / "llmops.yaml/run.json"))
    assert done.code == 2
    assert "cannot be written" in done.error


@pytest.mark.parametrize(
    "chosen",
    [
        {"selection": {"limit": 1}, "dataset": {"cases": 1}},
        {"selection": {"tags": ["t"]}, "dataset": {"cases": 2}},
        {"selected_ids": ["c1"], "dataset": {"cases": 1}},
    ],
)
def test_a_run_of_some_cases_becomes_the_baseline_by_force_alone(folder: Path, chosen: Mapping[str, object]) -> None:
    store = open_store("sqlite:///.llmops/llmops.db", folder)
    store.begin_run(Run("run-c", SUITE, "finished", STARTED, STARTED, "plan", 1, chosen))
    store.close()
    assert call(folder, "runs", "list").out.splitlines()[1].rstrip().endswith("some cases")
    refused = call(folder, "runs", "baseline", "@last")
    assert (refused.code, "only some of the cases" in refused.error, "--force" in refused.error) == (2, True, True)
    assert "Choose one" in call(folder, "runs", "baseline").out
    assert call(folder, "runs", "baseline", "@last", "--force").code == 0
    assert f"{SUITE}: run-c" in call(folder, "runs", "baseline").out


def test_a_limit_that_leaves_no_case_out_is_no_choice() -> None:
    whole = {"selection": {"limit": 100}, "dataset": {"cases": 2}}
    assert not Run("run-c", SUITE, "finished", STARTED, STARTED, "plan", 2, whole).partial


def test_a_finished_run_becomes_the_baseline_and_is_shown_as_it(folder: Path) -> None:
    assert "Choose one" in call(folder, "runs", "baseline").out
    assert call(folder, "runs", "baseline", "run-b").code == 2
    assert call(folder, "runs", "baseline", "run-a").code == 0
    assert f"{SUITE}: run-a" in call(folder, "runs", "baseline").out
