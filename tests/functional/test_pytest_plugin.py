"""A suite under pytest: one item per case, readable failures, a tolerated share, and one run for all workers."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import edit, llmops_after, project
from openai_server import OpenAiServer

pytest_plugins = ["pytester"]

Run = Callable[[pytest.Pytester], pytest.RunResult]

MARKED = """
import pytest

@pytest.mark.llmops(suite="evals/say.yaml"{more})
def test_say(llmops_case):
    assert "echo" in llmops_case.output
"""


@pytest.fixture
def folder(pytester: pytest.Pytester, server: OpenAiServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of four cases; the model forgets the word of c0002."""
    server.reply = lambda messages: "echo" if "w2 " in messages[-1]["content"] else f"echo {messages[-1]['content']}"
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return project(pytester.path, server.base, 4)


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """With no other plugin, in a process that has imported all of llmops before."""
    pytest_alone = "import pytest, sys; sys.exit(pytest.main(['-p', 'llmops.pytest_plugin', *sys.argv[1:]]))"
    done = llmops_after(pytest_alone, pytester.path, *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    return pytest.RunResult(done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), 0.0)


def run_apart(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """As users run it, with what is installed."""
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments)  # slow to load


RUNS = pytest.mark.parametrize("run", [run, lambda pytester: run_apart(pytester, "-n", "2")], ids=["alone", "xdist"])


def test_what_workers_of_earlier_days_shared_is_removed(pytester: pytest.Pytester, server: OpenAiServer, folder: Path) -> None:
    shared = folder / ".llmops/pytest"
    shared.mkdir(parents=True)
    for name, age_s in (("old.json", 90_000), ("old.lock", 90_000), ("new.json", 60)):
        (shared / name).touch()
        os.utime(shared / name, times=(time.time() - age_s,) * 2)
    pytester.makepyfile(MARKED.format(more=""))
    run_apart(pytester, "-n", "2").assert_outcomes(passed=3, failed=1)
    left = {file.name for file in shared.iterdir()}
    assert "new.json" in left
    assert not left & {"old.json", "old.lock"}


@RUNS
def test_each_case_is_an_item_and_a_failure_reads_as_one(
    pytester: pytest.Pytester, server: OpenAiServer, folder: Path, run: Run
) -> None:
    pytester.makepyfile(MARKED.format(more=""))
    found = run(pytester)
    found.assert_outcomes(passed=3, failed=1)
    found.stdout.fnmatch_lines(
        ["*test_say*c0002*", "contains: missing: 'w2'", "  evals/say.yaml · c0002 · say · m", "  │ echo"]
    )
    assert "Traceback" not in found.stdout.str()
    assert server.requests == 4  # with two workers, too


def test_what_a_test_asserts_of_a_case_is_told_without_all_its_results(
    pytester: pytest.Pytester, server: OpenAiServer, folder: Path
) -> None:
    pytester.makepyfile(MARKED.format(more="").replace('"echo" in llmops_case.output', "not llmops_case.answered"))
    shown = run(pytester, "-k", "c0000").stdout.str()
    assert "EvaluatedCase(suite='evals/say.yaml', case_id='c0000', prompt='say', target='m', pass_rate=0.75)" in shown


def test_a_mark_of_a_module_is_for_those_of_its_tests_that_take_a_case(
    pytester: pytest.Pytester, server: OpenAiServer, folder: Path
) -> None:
    pytester.makepyfile("""
        import pytest

        pytestmark = pytest.mark.llmops("evals/say.yaml")

        @pytest.fixture
        def answer(llmops_case):
            return llmops_case.output

        def test_answer(answer):
            assert answer

        def test_something_else():
            pass
        """)
    run(pytester).assert_outcomes(passed=4, failed=1)


def test_failures_within_the_tolerance_are_expected(pytester: pytest.Pytester, server: OpenAiServer, folder: Path) -> None:
    pytester.makepyfile(MARKED.format(more=", min_pass=0.7"))
    found = run(pytester, "-rx")
    found.assert_outcomes(passed=3, xfailed=1)
    found.stdout.fnmatch_lines(["*75.0 % of the suite pass, at least 70 % were asked for*"])
    pytester.makepyfile(MARKED.format(more=", min_pass=0.8"))
    below = run(pytester)
    below.assert_outcomes(passed=3, failed=1)
    below.stdout.fnmatch_lines(["  75.0 % of the suite pass, at least 80 % were asked for"])


def test_options_choose_models_cases_and_the_cache(pytester: pytest.Pytester, server: OpenAiServer, folder: Path) -> None:
    pytester.makepyfile(MARKED.format(more=""))
    run(pytester, "--llmops-limit", "2").assert_outcomes(passed=2)
    run(pytester, "--llmops-limit", "2").assert_outcomes(passed=2)
    assert server.requests == 2
    run(pytester, "--llmops-limit", "2", "--llmops-no-cache").assert_outcomes(passed=2)
    assert server.requests == 4
    wrong = run(pytester, "--llmops-model", "n")
    wrong.stdout.fnmatch_lines(["*No model is called 'n'.", "*Valid: `m`."])
    assert (wrong.ret, "Traceback" in wrong.stdout.str()) == (pytest.ExitCode.INTERRUPTED, False)


def test_mistakes_are_told_when_tests_are_collected(pytester: pytest.Pytester, server: OpenAiServer, folder: Path) -> None:
    pytester.makepyfile(MARKED.format(more=", min_passs=0.7"))
    run(pytester).stdout.fnmatch_lines(["*use @pytest.mark.llmops(suite, min_pass=None)*"])
    pytester.makepyfile(MARKED.format(more=", min_pass=70"))
    run(pytester).stdout.fnmatch_lines(["*min_pass is 70; a share of the cases from 0 to 1 was expected.*"])
    pytester.makepyfile(MARKED.format(more="").replace("say.yaml", "sya.yaml"))
    run(pytester).stdout.fnmatch_lines(["No suite file 'evals/sya.yaml'.", "Did you mean `evals/say.yaml`[?]"])
    for elsewhere, told in (("nosuch", "The project 'nosuch' is no folder."), ("/", "No llmops.yaml*")):
        run(pytester, "--llmops-project", elsewhere).stdout.fnmatch_lines([told])
    found = run(pytester, "--llmops-limit", "0")
    found.stderr.fnmatch_lines(["*--llmops-limit: '0' was given; a whole number from 1 on was expected"])
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    edit(folder / "datasets/say.jsonl", '"id"', '"idd"')
    pytester.makepyfile(MARKED.format(more=""))
    run(pytester).stdout.fnmatch_lines(["*datasets/say.jsonl:1*"])


def test_a_case_without_an_answer_fails_with_the_reason_whatever_the_test_asserts(
    pytester: pytest.Pytester, server: OpenAiServer, folder: Path
) -> None:
    server.faults = {1: "500"}
    edit(folder / "llmops.yaml", "concurrency: 8", "concurrency: 1, max_retries: 0")
    pytester.makepyfile(MARKED.format(more=""))
    found = run(pytester)
    found.stdout.fnmatch_lines(["no answer: Unavailable: HTTP 500*", "  evals/say.yaml · c0000 · say · m"])
    assert "AssertionError" not in found.stdout.str()
    pytester.makepyfile(MARKED.format(more=", min_pass=0.5"))
    server.faults = {server.requests + 1: "500"}
    run(pytester, "--llmops-no-cache").assert_outcomes(passed=2, xfailed=2)


@RUNS
def test_a_suite_that_stops_early_says_why_there_is_no_result(
    pytester: pytest.Pytester, server: OpenAiServer, folder: Path, run: Run
) -> None:
    edit(folder / "llmops.yaml", "concurrency: 8", "concurrency: 1")
    edit(folder / "evals/say.yaml", "gate:", "budget: 0.00001\ngate:")
    pytester.makepyfile(MARKED.format(more=""))
    found = run(pytester)
    found.assert_outcomes(passed=1, errors=3)
    found.stdout.fnmatch_lines(["evals/say.yaml · c0003: no result", "  $0.0000 are spent; *a larger --budget continues*"])
    assert "KeyError" not in found.stdout.str()


def test_a_suite_that_cannot_be_run_says_so_without_a_traceback(
    pytester: pytest.Pytester, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (folder / "llmops.yaml").write_text("models:\n  m: {id: openai/m}\n")
    pytester.makepyfile(MARKED.format(more=""))
    found = run(pytester)
    found.assert_outcomes(errors=4)
    found.stdout.fnmatch_lines(["evals/say.yaml · c0000: no result", "  *OPENAI_API_KEY is not set.", "  Set it in the env*"])
    assert "raise MissingCredential" not in found.stdout.str()


def test_an_interrupt_ends_pytest_as_well_as_the_suite(pytester: pytest.Pytester, server: OpenAiServer, folder: Path) -> None:
    def interrupt(_: list[dict[str, str]]) -> str:
        os.kill(int((folder / "pid").read_text()), signal.SIGINT)
        time.sleep(0.5)
        return "echo"

    server.reply = interrupt
    edit(folder / "llmops.yaml", "concurrency: 8", "concurrency: 1")
    pytester.makeconftest("import os, pathlib\npathlib.Path('pid').write_text(str(os.getpid()))")
    pytester.makepyfile(MARKED.format(more=""))
    found = run_apart(pytester)
    found.stdout.fnmatch_lines(["*interrupted: the same command continues this run*"])
    assert (found.ret, server.requests) == (130, 1)


def test_a_suite_is_named_as_for_the_command_line(pytester: pytest.Pytester, folder: Path) -> None:
    pytester.makepyfile(MARKED.format(more="").replace("evals/say.yaml", "say"))
    run(pytester, "--llmops-limit", "1").assert_outcomes(passed=1)


def test_one_answer_is_evaluated_without_a_project(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_answers(llmops_evaluate):
            assert llmops_evaluate({"contains": {"any": ["Paris"]}}, "It is Paris.").passed
            assert not llmops_evaluate({"contains": {"any": "expected"}}, "Rome", expected=["Paris"]).passed
            told = "It was founded by seventy astronauts."
            found = llmops_evaluate({"hallucination": {"max": 0.5}}, told, contexts=["It costs 19 dollars."])
            assert found.passed is False and found.spans
            passage = "The boat leaves at nine."
            one, listed = (llmops_evaluate("hallucination", passage, contexts=each) for each in (passage, [passage]))
            assert one == listed and one.passed
        """)
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize("word", ["", "async "], ids=["plain", "async"])
def test_a_judge_is_asked_also_where_an_event_loop_runs_and_leaves_no_connection_open(
    pytester: pytest.Pytester, server: OpenAiServer, folder: Path, word: str
) -> None:
    server.reply = lambda messages: '{"verdicts": [{"item": 1, "reason": "so", "verdict": "yes"}]}'
    pytester.makepyfile(f"""
        import gc

        {word}def test_answers(llmops_evaluate):
            for number in range(2):
                asked = {{"criteria": {{"judge": "m", "items": ["It greets."]}}}}
                assert llmops_evaluate(asked, f"Hello {{number}}").value == 1
            gc.collect()
        """)
    scope = "asyncio_default_fixture_loop_scope=function"
    run_apart(pytester, "-W", "error", "-o", "asyncio_mode=auto", "-o", scope).assert_outcomes(passed=1)


def test_a_project_that_lies_elsewhere_can_be_named(pytester: pytest.Pytester, server: OpenAiServer) -> None:
    project(pytester.mkdir("answers"), server.base, 2)
    server.reply = lambda messages: f"echo {messages[-1]['content']}"
    pytester.makepyfile(MARKED.format(more=""))
    run(pytester).stdout.fnmatch_lines(["No llmops.yaml in*", "Or name it where it is: --llmops-project DIR"])
    run(pytester, "--llmops-project", "answers").assert_outcomes(passed=2)


def test_a_wrong_call_of_the_fixture_is_told_at_the_line_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize(("evaluator", "output", "contexts"), [
            ("contians", "x", ()), ({"contians": "abc"}, "x", ()), ("pii", None, ()), ("pii", "x", [1]), (None, "x", ()),
        ])
        def test_answer(llmops_evaluate, evaluator, output, contexts):
            assert llmops_evaluate(evaluator, output, contexts=contexts).passed
        """)
    done = run(pytester)
    done.assert_outcomes(failed=5)
    told, _, _ = done.stdout.str().partition("short test summary info")  # which repeats a reason, whole or cut
    assert told.count("No evaluator is called 'contians'.") >= 2
    assert told.count("Did you mean `contains`?") == 2
    assert "`output`: is null; a text was expected." in told
    assert "`contexts`: holds something that is neither a text nor" in told
    assert "TypeError: an evaluator is a name or a mapping" in told
    assert not any(file in told for file in ("score.py", "catalogue.py", "suite.py:"))


def test_pytest_imports_nothing_of_llmops_that_it_does_not_use(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_modules():
            loaded = {name for name in sys.modules if name.startswith("llmops")}
            assert loaded == {"llmops", "llmops.pytest_plugin"}
            assert not {"pydantic", "numpy", "rich.console", "litellm"} & set(sys.modules) - {"rich.console"}
        """)
    run_apart(pytester).assert_outcomes(passed=1)
