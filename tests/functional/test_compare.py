"""Two runs held against each other on the command line."""

import json
from importlib.metadata import version
from pathlib import Path

from command_line import edit, llmops, llmops_after, project
from guides import blocks, typed
from openai_server import OpenAiServer


def test_a_broken_prompt_is_found_and_judged(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 60)
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        assert llmops(tmp_path, "runs", "baseline", "@last").returncode == 0
        edit(tmp_path / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {% if word < 'w3' %}{{ word }}{% endif %} now.")
        assert llmops(tmp_path, "eval", "--no-gate", "-q").returncode == 0
    done = llmops(tmp_path, "compare", "@baseline", "--margin", "0.05", "--metric", "contains.pass_rate")
    assert done.returncode == 1, done.stdout
    for told in ("prompt `say`", "contains.pass_rate", "points", "FAIL (exit 1)", "broken ", "before: ", "after: "):
        assert told in done.stdout
    document = json.loads(llmops(tmp_path, "compare", "@baseline", "@last", "--margin", "0.05", "--json").stdout)
    (metric,) = [m for m in document["metrics"] if m["name"] == "contains.pass_rate"]
    assert (metric["n"], metric["verdict"]) == (60, "fail")
    assert metric["interval"][1] < 0
    assert {flip["broken"] for flip in document["flips"]} == {True}
    chosen = json.loads(llmops(tmp_path, "runs", "show", "@baseline:evals/say.yaml", "--json").stdout)
    assert chosen["runs"][0]["run_id"] == document["baseline"]
    nameless = llmops(tmp_path, "gate", "@baseline")
    assert (nameless.returncode, "Name it: @baseline:evals/" in nameless.stderr) == (2, True)
    written = llmops(tmp_path, "compare", "@baseline", "--markdown", "c.md", "--csv", "c.csv")
    assert written.returncode == 0
    assert "| contains.pass\\_rate" in (tmp_path / "c.md").read_text()
    assert "contains.pass_rate,say,m,60" in (tmp_path / "c.csv").read_text()


def test_an_unchanged_run_differs_by_exactly_nothing(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 3)
        for _ in range(2):
            llmops(tmp_path, "eval", "-q")
    done = llmops(tmp_path, "compare", "@last~1", "@last", "--margin", "0.001")
    assert "nothing changed" in done.stdout
    assert "PASS (exit 0)" in done.stdout


def test_a_run_knows_whose_prices_it_counted_with(server: OpenAiServer, tmp_path: Path) -> None:
    project(tmp_path, server.base, 3)
    edit(tmp_path / "llmops.yaml", ", price: {input_per_million: 1, output_per_million: 2}", "")
    edit(tmp_path / "llmops.yaml", "openai/m,", "openai/gpt-4o-mini,")
    assert llmops(tmp_path, "eval", "-q", "--no-gate").returncode == 0
    newer = "from importlib import metadata\nmetadata.version = lambda name: '99.0'"
    assert llmops_after(newer, tmp_path, "eval", "-q", "--no-gate").returncode == 0
    shown = llmops(tmp_path, "compare", "@last~1", "@last").stdout
    assert f"price table: LiteLLM {version('litellm')} → LiteLLM 99.0" in shown


def test_a_cell_without_an_answer_does_not_vanish(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 40, extra=", max_retries: 0")
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        server.faults = dict.fromkeys(range(41, 61), "malformed")
        assert llmops(tmp_path, "eval", "-q", "--no-cache").returncode == 3
        for sides in (("@last~1", "@last"), ("@last", "@last~1")):
            done = llmops(tmp_path, "compare", *sides, "--margin", "0.1", "--json")
            document = json.loads(done.stdout)
            (rate,) = [each for each in document["metrics"] if each["name"] == "contains.pass_rate"]
            assert (done.returncode, rate["n"], rate["difference"], rate["verdict"]) == (4, 20, 0, "inconclusive")
            assert document["unscored"] == 20 * len(document["metrics"])
        same = llmops(tmp_path, "compare", "@last", "--margin", "0.1")
        assert (same.returncode, "Both sides are the run " in same.stderr) == (2, True)
        server.always = "malformed"
        llmops(tmp_path, "eval", "-q", "--no-cache")
    done = llmops(tmp_path, "compare", "@last~2", "@last", "--margin", "0.1")
    assert (done.returncode, "'contains.pass_rate' has no case with a value on both sides" in done.stderr) == (2, True)
    done = llmops(tmp_path, "compare", "@last~2", "@last")
    assert (done.returncode, "share no scored cell" in done.stderr) == (2, True)
    assert "is incomplete, so continue it: llmops eval evals/" in done.stderr


def test_an_evaluator_of_one_run_alone_is_no_metric_also_beside_cells_without_an_answer(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 30)
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        suite = tmp_path / "evals/say.yaml"
        suite.write_text(suite.read_text().replace("  - latency\n", "  - latency\n  - refusal\n"))
        server.faults = {31: "empty", 32: "empty"}
        server.always = None
        assert llmops(tmp_path, "eval", "--no-cache", "-q").returncode == 0
    for sides in (("@last~1", "@last"), ("@last", "@last~1")):
        done = llmops(tmp_path, "compare", *sides, "--margin", "0.2", "--json")
        assert done.returncode in (0, 4), done.stderr
        assert not any(metric["name"].startswith("refusal") for metric in json.loads(done.stdout)["metrics"])


def test_a_margin_that_judges_nothing_is_refused(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 30)
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        edit(tmp_path / "evals/say.yaml", "whole_words: true", "name: word")
        edit(tmp_path / "evals/say.yaml", "contains.pass_rate", "word.pass_rate")
        assert llmops(tmp_path, "eval", "--refresh", "generate", "-q").returncode == 0
    assert llmops(tmp_path, "compare", "@last~1", "@last").returncode == 0
    done = llmops(tmp_path, "compare", "@last~1", "@last", "--margin", "0.05")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--margin 0.05 judges nothing: cost.mean, latency.mean cannot be judged." in done.stderr


def test_a_run_that_was_stopped_is_shown_and_not_judged(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 40)
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        assert llmops(tmp_path, "eval", "-q", "--no-cache", "--budget", "0.0002").returncode == 5
    for sides, side in ((("@last~1", "@last"), "candidate"), (("@last", "@last~1"), "baseline")):
        done = llmops(tmp_path, "compare", *sides, "--margin", "0.2")
        assert (done.returncode, done.stdout) == (3, "")
        assert "is over budget: some of its cases alone are no ground for a verdict." in done.stderr
        assert "Continue it: llmops eval evals/say.yaml --budget 0.0002 --no-cache" in done.stderr
        shown = llmops(tmp_path, "compare", *sides)
        assert (shown.returncode, f"the {side} is over budget: cases" in shown.stdout) == (0, True)


def test_only_cases_without_a_partner_are_listed_as_such(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 4)
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        edit(tmp_path / "evals/say.yaml", "evaluators:", "repeat: 3\nevaluators:")
        dataset = tmp_path / "datasets/say.jsonl"
        dataset.write_text(dataset.read_text().replace("c0003", "c0009"))
        assert llmops(tmp_path, "eval", "-q").returncode == 0
    for sides, (before, after) in ((("@last~1", "@last"), ("c0003", "c0009")), (("@last", "@last~1"), ("c0009", "c0003"))):
        document = json.loads(llmops(tmp_path, "compare", *sides, "--json").stdout)
        assert (document["only_baseline"], document["only_candidate"]) == ([before], [after])


def test_a_renamed_evaluator_keeps_its_direction_and_its_bounds(tmp_path: Path) -> None:
    own = "{function: 'evals/own.py:words', name: wordy, range: [0, 8], lower_is_better: true}"
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 40)
        (tmp_path / "evals/own.py").write_text("def words(answer):\n    return len(answer['output'].split())\n")
        edit(tmp_path / "evals/say.yaml", "  - latency\n", f"  - latency: {{name: speed}}\n  - python: {own}\n")
        assert llmops(tmp_path, "eval", "-q").returncode == 0
        edit(tmp_path / "prompts/say/prompt.j2", "Say {{ word }} now.", "Say {{ word }} now and then.")
        assert llmops(tmp_path, "eval", "-q").returncode == 0
    document = json.loads(llmops(tmp_path, "compare", "@last~1", "--margin", "0.5", "--metric", "wordy.mean", "--json").stdout)
    (metric,) = document["metrics"]
    assert (metric["direction"], metric["difference"], metric["verdict"]) == ("lower is better", 2, "fail")
    told = llmops(tmp_path, "compare", "@last~1", "--margin", "0.05", "--json").stdout
    assert {m["name"]: m["direction"] for m in json.loads(told)["metrics"]}["speed.mean"] == "neither"
    refused = llmops(tmp_path, "compare", "@last~1", "--margin", "30", "--metric", "wordy.mean")
    assert "every value of 'wordy.mean' lies within 0 and 8" in refused.stderr


def test_results_from_elsewhere_need_no_project(tmp_path: Path) -> None:
    rows = [{"id": i, "metric": "correct", "baseline": 1, "candidate": int(i > 5)} for i in range(200)]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for margin, code, verdict in (("0.06", 0, "pass"), ("0.03", 4, "inconclusive"), ("0.005", 1, "fail")):
        done = llmops(tmp_path, "compare", "--from", "r.jsonl", "--margin", margin, "--json")
        assert done.returncode == code, done.stdout
        document = json.loads(done.stdout)
        assert document["verdict"] == document["metrics"][0]["verdict"] == verdict


def test_p_values_are_adjusted_as_asked(tmp_path: Path) -> None:
    rows = [{"id": i, "metric": m, "baseline": 1, "candidate": int(i > k)} for m, k in (("a", 4), ("b", 4)) for i in range(60)]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    documents = [
        json.loads(llmops(tmp_path, "compare", "--from", "r.jsonl", "--adjust", how, "--json").stdout) for how in ("holm", "bh")
    ]
    assert [d["adjustment"] for d in documents] == ["holm", "bh"]
    holm, bh = ([m["p_adjusted"] for m in d["metrics"]] for d in documents)
    assert bh[0] == holm[0] / 2
    assert "p (BH)" in llmops(tmp_path, "compare", "--from", "r.jsonl", "--adjust", "bh").stdout
    assert llmops(tmp_path, "compare", "--from", "r.jsonl", "--adjust", "bonferroni").returncode == 2


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    project(tmp_path, "http://127.0.0.1:9/v1")
    (tmp_path / "r.csv").write_text("id,metric,baseline,candidate\na,m,1,1\n")
    for arguments, told in (
        ((), "Name the baseline"),
        (("@last~1", "@last"), "No run is called"),
        (("--from", "none.csv"), "none.csv"),
        (("--from", "r.csv", "--confidence", "0.3"), "above 0.5"),
        (("--from", "r.csv", "--metric", "n"), "No metric is called 'n'"),
        (("@last", "--from", "r.csv"), "takes the place"),
        (("--suite", "say", "--from", "r.csv"), "takes the place of the runs and of --suite"),
        (("--target", "m", "--from", "r.csv"), "and of --suite, --target and --prompt"),
        (("@last~1", "@last", "--suite", "say"), "--suite says over which cases prompts are run"),
        (("@last~1", "@last", "--lower", "latency.mean"), "--lower goes with --from"),
    ):
        done = llmops(tmp_path, "compare", *arguments)
        assert done.returncode == 2, done.stdout
        assert told in done.stderr
        assert "Traceback" not in done.stderr


def test_the_guide_is_typed_to_the_letter(tmp_path: Path) -> None:
    typed(tmp_path, "llmops init")
    lines = [line for language, body in blocks("compare-runs.md") if language == "sh" for line in body.splitlines()]
    printed = {line: typed(tmp_path, line) for line in lines}
    assert "PASS (exit 0)" in printed["llmops compare @baseline @last --margin 0.05"]
    assert "correct" in printed["llmops compare --from results.csv --metric correct"]


def test_a_margin_that_no_loss_can_exceed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("id,metric,baseline,candidate\n" + "".join(f"{i},correct,1,0\n" for i in range(40)))
    done = llmops(tmp_path, "compare", "--from", "m.csv", "--margin", "5")
    assert done.returncode == 2
    assert "--margin 5: every value of 'correct' lies within 0 and 1" in done.stderr
    assert llmops(tmp_path, "compare", "--from", "m.csv", "--margin", "0.05").returncode == 1


def test_the_last_run_is_none_that_was_made_to_compare(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 3)
        assert llmops(tmp_path, "eval", "-q", "--no-gate").returncode == 0
        assert llmops(tmp_path, "compare", "say").returncode == 0
    newest, before, first = json.loads(llmops(tmp_path, "runs", "list", "--json").stdout)
    assert [run["aside"] for run in (newest, before, first)] == [True, True, False]
    (shown,) = json.loads(llmops(tmp_path, "runs", "show", "--json").stdout)["runs"]
    assert shown["run_id"] == json.loads(llmops(tmp_path, "gate", "--json").stdout)["run_id"] == first["id"]
    assert first["id"] in llmops(tmp_path, "runs", "baseline", "@last").stdout
    listed = llmops(tmp_path, "runs", "list").stdout.splitlines()[1:]
    assert [line.rstrip().endswith("to compare") for line in listed] == [True, True, False]


def test_two_models_and_two_prompts_of_one_run_are_held_against_each_other(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        project(tmp_path, server.base, 40)
        settings, suite = tmp_path / "llmops.yaml", tmp_path / "evals/say.yaml"
        model = settings.read_text().splitlines()[1]
        settings.write_text(f"models:\n{model}\n{model.replace('m: {', 'large: {', 1)[:-1]}, params: {{seed: 1}}}}\n")
        edit(suite, "targets: [m]", "targets: [m, large]")
        edit(suite, "prompts: [say]", "prompts: [say, hush]")
        silent = (tmp_path / "prompts/say/prompt.j2").read_text().replace("Say {{ word }} now.", "Hush{{ word[:0] }}.")
        (tmp_path / "prompts/hush").mkdir()
        (tmp_path / "prompts/hush/prompt.j2").write_text(silent)
        assert llmops(tmp_path, "eval", "-q", "--no-gate").returncode == 0

    def rates(*options: str) -> dict[tuple[str, str], tuple[int, float, str]]:
        done = llmops(tmp_path, "compare", *options, "--metric", "contains.pass_rate", "--margin", "0.1", "--json")
        found = json.loads(done.stdout)["metrics"]
        return {(each["prompt"], each["target"]): (each["n"], each["difference"], each["verdict"]) for each in found}

    assert rates("--target", "m", "--target", "large") == {
        ("say", "large"): (40, 0, "pass"),
        ("hush", "large"): (40, 0, "pass"),
    }
    assert rates("@last", "--prompt", "say", "--prompt", "hush", "--target", "m") == {("hush", "m"): (40, -1, "fail")}
    shown = llmops(tmp_path, "compare", "--prompt", "hush", "--prompt", "say").stdout
    assert "prompt: hush → say" in shown
    assert "nothing changed in the configuration" not in shown
    assert " -> 20" not in shown.splitlines()[0]
    for options, told in (
        (("--target", "m", "--target", "larg"), "The candidate has no target 'larg'"),
        (("@last", "@last", "--target", "m"), "or two of its models: --target NAME --target ANOTHER"),
        (("--prompt", "a", "--prompt", "b", "--prompt", "c"), "--prompt is given 3 times"),
    ):
        refused = llmops(tmp_path, "compare", *options)
        assert refused.returncode == 2, refused.stdout
        assert told in refused.stderr
