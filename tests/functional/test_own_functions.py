import json
from pathlib import Path

import pytest
from command_line import llmops, project, report, write
from openai_server import OpenAiServer

FILES = {
    "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n",
    "evals/words.yaml": "dataset: datasets/words.jsonl\nevaluators:\n  - python: evals/own.py:judge\n",
    "evals/own.py": "from lengths import most\nprint('loading')\ndef judge(answer):\n    print('judging')\n"
    "    return len(answer['output']) <= most()\n",
    "lengths.py": "def most():\n    return 3\n",
    "datasets/words.jsonl": '{"id": "a", "output": "one"}\n{"id": "b", "output": "three"}\n',
}


def test_what_an_evaluator_prints_does_not_break_the_document(tmp_path: Path) -> None:
    done = llmops(write(tmp_path, FILES), "eval", "--json")
    assert report(done)["counts"]["scored"] == 2
    assert done.stderr.count("loading") == 1
    assert done.stderr.count("judging") == 2


REDIRECTED = """
import contextlib, io, threading, time
first, second = threading.Event(), threading.Event()
def judge(answer):
    if answer["output"] == "three":
        first.wait(10)
    with contextlib.redirect_stdout(io.StringIO()):
        if answer["output"] == "three":
            second.set()
            time.sleep(0.2)
        else:
            first.set()
            second.wait(10)
    return 1
"""
"""Of two calls at once, the last to end puts back what the other made of stdout."""


def test_what_calls_at_once_make_of_stdout_does_not_lose_the_document(tmp_path: Path) -> None:
    done = llmops(write(tmp_path, {**FILES, "evals/own.py": REDIRECTED}), "eval", "--json")
    assert report(done)["counts"]["scored"] == 2


def test_a_change_of_a_module_that_it_imports_evaluates_again(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert passed(tmp_path) == [True, False]
    write(tmp_path, {"lengths.py": "def most():\n    return 30\n"})
    assert passed(tmp_path) == [True, True]


def passed(root: Path) -> list[bool]:
    done = llmops(root, "eval", "--json")
    return [result["evaluations"]["python"]["passed"] for result in report(done)["results"]]


APPLICATION = {
    "llmops.yaml": "models:\n  shop: {id: python/shop/bot.py:answer, params: {top: 1}}\n",
    "shop/__init__.py": "",
    "shop/bot.py": "from .search import search\n\n\ndef answer(request):\n    print('asked')\n"
    "    found = search(request['messages'][-1]['content'])[: request['params']['top']]\n"
    "    return {'text': ' '.join(found), 'contexts': found, 'cost_usd': 0.25}\n",
    "shop/search.py": "def search(question):\n"
    "    return ['The small plan costs 19 dollars.', 'The large plan costs 49 dollars.']\n",
    "prompts/ask/prompt.j2": "user:\n{{ question }}\n",
    "evals/shop.yaml": "dataset: datasets/shop.jsonl\nprompts: [ask]\ntargets: [shop]\nevaluators:\n"
    "  - contains: {all: expected}\n  - hallucination: {backend: embedded, max: 0.5}\n  - cost\n",
    "datasets/shop.jsonl": '{"id": "small", "vars": {"question": "What is the small plan?"}, "expected": ["19"]}\n'
    '{"id": "large", "vars": {"question": "What is the large plan?"}, "expected": ["49"]}\n',
}


def test_an_application_is_evaluated_with_what_it_retrieves_and_says_that_it_costs(tmp_path: Path) -> None:
    done = llmops(write(tmp_path, APPLICATION), "eval", "--json")
    found = report(done)
    (small, large) = found["results"]
    assert small["output"] == "The small plan costs 19 dollars."
    assert small["contexts"][0]["text"] == small["output"]
    assert [each["evaluations"]["contains"]["passed"] for each in (small, large)] == [True, False]
    assert small["evaluations"]["hallucination"]["passed"] is True
    assert (found["groups"][0]["spend"]["cost_usd"], small["usage"]) == (0.5, None)
    assert done.stderr.count("asked") == 2
    shown = llmops(tmp_path, "runs", "show", "--outputs").stdout
    assert "[1] application: The small plan costs 19 dollars." in shown


def test_a_tool_that_a_model_calls_is_evaluated_by_its_name(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        server.always = "text and tools"
        root = project(tmp_path, server.base, 1)
        suite = (root / "evals/say.yaml").read_text()
        named = suite.replace("any: expected, whole_words: true", "any: [weather], of: /tool_calls/0/name")
        write(root, {"evals/say.yaml": named})
        (result,) = report(llmops(root, "eval", "--json"))["results"]
    assert result["evaluations"]["contains"]["passed"] is True


def test_the_tools_that_a_model_calls_are_held_against_the_expected_ones(tmp_path: Path) -> None:
    with OpenAiServer().running() as server:
        server.always = "text and tools"
        root = project(tmp_path, server.base, 1)
        suite = (root / "evals/say.yaml").read_text()
        evaluator = "tool-calls: {to: [{name: weather, arguments: {city: Oslo}}]}\n"
        write(root, {"evals/say.yaml": suite[: suite.index("  - contains")] + f"  - {evaluator}"})
        (result,) = report(llmops(root, "eval", "--json"))["results"]
    assert result["evaluations"]["tool-calls"]["passed"] is True
    assert result["evaluations"]["tool-calls"]["reason"] == 'called: weather({"city":"Oslo"})'


def test_an_application_is_asked_again_when_its_own_code_has_changed(tmp_path: Path) -> None:
    write(tmp_path, APPLICATION)
    assert [generated(tmp_path) for _ in range(2)] == [2, 0]
    changed = APPLICATION["shop/search.py"].replace("['The small plan costs 19 dollars.', ", "['Ask a person: 49.', ")
    write(tmp_path, {"shop/search.py": changed, "shop/unrelated.py": ""})
    assert [generated(tmp_path) for _ in range(2)] == [2, 0]
    write(tmp_path, {"llmops.yaml": APPLICATION["llmops.yaml"].replace("top: 1", "top: 2")})
    assert generated(tmp_path) == 2


def generated(root: Path) -> int:
    return int(report(llmops(root, "eval", "--json"))["counts"]["generated"])


def test_a_call_that_hangs_fails_its_case_and_does_not_hold_the_command(tmp_path: Path) -> None:
    hanging = (
        "import time\n\ndef answer(request):\n"
        "    time.sleep(600 if 'large' in request['messages'][0]['content'] else 0)\n    return '19'\n"
    )
    settings = "models:\n  shop: {id: python/shop/bot.py:answer, timeout_s: 0.1, max_retries: 0}\n"
    write(tmp_path, {**APPLICATION, "shop/bot.py": hanging, "llmops.yaml": settings})
    done = llmops(tmp_path, "eval", "--json")
    assert done.returncode == 3
    assert [each["error"] for each in report(done)["results"]] == [None, "ModelTimeout: no answer within 0.1 s"]


@pytest.mark.parametrize(
    ("model", "told", "step"),
    [
        ("python/shop/bot.py:anser", "'shop/bot.py' has no function 'anser'.", "Did you mean `answer`?"),
        ("python/shop/bto.py:answer", "shop/bto.py: no such file.", ""),
        ("python/../bot.py:answer", "'../bot.py' leads out of the project.", "Give a path inside it"),
        ("python/shop/bot.py", "should be `python/FILE.py:FUNCTION`", ""),
        ("python:shop/bot.py:answer", "should be `python/FILE.py:FUNCTION`", ""),
        ("file://shop/bot.py", "should be `python/FILE.py:FUNCTION`", ""),
        ("python/shop/bot.py:answer, api_base: 'http://127.0.0.1:1'", "has `api_base`, which a function of your own", ""),
    ],
)
def test_an_application_that_is_not_there_is_told_before_the_run(tmp_path: Path, model: str, told: str, step: str) -> None:
    write(tmp_path, {**APPLICATION, "llmops.yaml": f"models:\n  shop: {{id: {model}}}\n"})
    for command in ("validate", "eval"):
        done = llmops(tmp_path, command)
        output = done.stdout + done.stderr
        assert done.returncode == 2, output
        assert "llmops.yaml:2:" in output
        assert told in output
        assert step in output


def test_a_file_that_cannot_run_ends_the_evaluation_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, {**APPLICATION, "shop/search.py": "import not_installed_here\n"})
    done = llmops(tmp_path, "eval")
    assert done.returncode == 2
    assert "'shop/bot.py' cannot be loaded: ModuleNotFoundError: No module named 'not_installed_here'." in done.stderr
    assert "Install it beside llmops, into the same environment." in done.stderr


def test_the_reason_to_ask_an_application_again_is_its_code(tmp_path: Path) -> None:
    write(tmp_path, APPLICATION)
    generated(tmp_path)
    write(tmp_path, {"shop/__init__.py": "# another\n"})
    assert "model `shop`: its code (2)" in llmops(tmp_path, "eval", "--explain").stdout


def test_an_application_that_never_comes_back_takes_no_document_with_it(tmp_path: Path) -> None:
    write(tmp_path, APPLICATION)
    settings = "models:\n  shop: {id: python/shop/bot.py:answer, timeout_s: 0.1, max_retries: 0}\n"
    hanging = "import io, sys, time\n\n\ndef answer(request):\n    sys.stdout = io.StringIO()\n    time.sleep(60)\n"
    done = llmops(write(tmp_path, {"llmops.yaml": settings, "shop/bot.py": hanging}), "eval", "--json")
    assert report(done)["counts"]["failed"] == 2


def test_a_report_is_written_where_it_was_asked_for_also_when_an_application_goes_elsewhere(tmp_path: Path) -> None:
    leaving = "import os\nos.chdir('/')\n\n\ndef answer(request):\n    return os.getcwd()\n"
    write(tmp_path, {**APPLICATION, "shop/bot.py": leaving})
    llmops(tmp_path, "eval", "-o", "report.json")
    (run,) = json.loads((tmp_path / "report.json").read_text())["runs"]
    assert [result["output"] for result in run["results"]] == ["/", "/"]
