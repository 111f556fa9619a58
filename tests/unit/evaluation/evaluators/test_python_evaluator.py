import threading
from pathlib import Path

import pytest
from evaluator_bench import Bench, answer

from llmops.domain.errors import InvalidFiles
from llmops.domain.retrieval import Hit
from llmops.domain.scores import Failure, Score, Unmeasured
from llmops.evaluation.evaluators.base import ANY
from llmops.evaluation.evaluators.catalogue import check_evaluators
from llmops.settings.positions import parse_yaml
from llmops.settings.suite import evaluator_specs


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def write(bench: Bench, body: str) -> None:
    (bench.root / "evals").mkdir(exist_ok=True)
    (bench.root / "evals" / "own.py").write_text(body)


OWN = "python: evals/own.py:judge"


@pytest.mark.parametrize(
    ("returned", "outcome", "passed"),
    [
        ("True", Score(1.0, parts={"passed": 1.0}), True),
        ("False", Score(0.0, parts={"passed": 0.0}), False),
        ("0.25", Score(0.25), None),
        ("3", Score(3.0), None),
        ("{'value': 0.5, 'reason': 'half'}", Score(0.5, "half"), None),
        ("{'value': 0.5, 'passed': True}", Score(0.5, parts={"passed": 1.0}), True),
        ("{'passed': False, 'reason': 'no'}", Score(0.0, "no", parts={"passed": 0.0}), False),
        ("{'value': True}", Score(1.0, parts={"passed": 1.0}), True),
    ],
)
def test_what_a_function_may_return(bench: Bench, returned: str, outcome: Score, passed: bool | None) -> None:
    write(bench, f"def judge(answer):\n    return {returned}\n")
    assert bench.measure(OWN, answer("x")) == outcome
    assert bench.judge(OWN, answer("x")).passed is passed


def test_limits_and_negate(bench: Bench) -> None:
    write(bench, "def judge(answer):\n    return 0.4\n\ndef yes(answer):\n    return True\n")
    assert bench.judge("python: {function: 'evals/own.py:judge', min: 0.5}", answer("x")).passed is False
    assert bench.judge("python: {function: 'evals/own.py:judge', min: 0.5, negate: true}", answer("x")).passed is True
    assert bench.judge("python: {function: 'evals/own.py:yes', negate: true}", answer("x")).passed is False


def test_its_range_and_direction_are_those_that_the_suite_tells(bench: Bench) -> None:
    write(bench, "def judge(answer):\n    return float(answer['output'])\n")
    entry = "python: {function: 'evals/own.py:judge', range: [0, 10], lower_is_better: true, max: 4}"
    built = bench.build(entry)
    assert (built.figures.reach(), built.lower_is_better) == ((0, 10), True)
    assert (bench.build(OWN).figures.reach(), bench.build(OWN).lower_is_better) == (ANY, False)
    assert bench.judge(entry, answer("3")).passed is True
    told = Failure("the function returned 12; `range` says that it lies within 0 and 10")
    assert bench.measure(entry, answer("12")) == told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("range: [10, 0]", "the smallest value comes first"),
        ("range: [0, .inf]", "finite"),
        ("range: 10", "two numbers were expected"),
        ("range: [1, 2, 3]", "two numbers were expected"),
        ("range: [0, 1], min: 50", "50 is no limit: a value of `python` lies within 0 and 1."),
    ],
)
def test_a_range_that_says_nothing_is_refused(bench: Bench, options: str, message: str) -> None:
    write(bench, "def judge(answer):\n    return 1\n")
    with pytest.raises(InvalidFiles) as raised:
        bench.build(f"python: {{function: 'evals/own.py:judge', {options}}}")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "returned", ["'yes'", "[]", "float('nan')", "float('inf')", "{}", "{'valeu': 1}", "{'value': 1, 'passed': 1}"]
)
def test_what_it_may_not_return_is_a_failure(bench: Bench, returned: str) -> None:
    write(bench, f"def judge(answer):\n    return {returned}\n")
    outcome = bench.measure(OWN, answer("x"))
    assert isinstance(outcome, Failure)
    assert outcome.reason.startswith("the function returned ")


def test_none_means_that_it_does_not_apply(bench: Bench) -> None:
    write(bench, "def judge(answer):\n    return None\n")
    assert isinstance(bench.measure(OWN, answer("x")), Unmeasured)


def test_the_function_sees_plain_copies(bench: Bench) -> None:
    write(
        bench,
        "def judge(answer):\n"
        "    answer['vars']['list'].append(1)\n"
        "    answer['metadata'].clear()\n"
        "    return {'value': 1, 'reason': repr(sorted(answer.items()))}\n",
    )
    sample = answer(
        "out", hits=[Hit("text", "a.md")], expected=["e"], metadata={"m": 1}, tags=("t",), vars={"question": "Why?", "list": []}
    )
    outcome = bench.measure(OWN, sample)
    assert isinstance(outcome, Score)
    assert outcome.reason == repr(
        [
            ("contexts", [{"text": "text", "source": "a.md"}]),
            ("expected", ["e"]),
            ("metadata", {}),
            ("output", "out"),
            ("tags", ["t"]),
            ("vars", {"question": "Why?", "list": [1]}),
        ]
    )
    assert sample.case.vars["list"] == []
    assert sample.case.metadata == {"m": 1}


def test_async_functions_and_classes(bench: Bench) -> None:
    write(
        bench,
        "import asyncio\nfrom dataclasses import dataclass\n\n"
        "@dataclass\nclass Part:\n    value: float\n\n"
        "async def judge(answer):\n    await asyncio.sleep(0)\n    return Part(0.5).value\n",
    )
    assert bench.measure(OWN, answer("x")) == Score(0.5)


def test_a_plain_function_does_not_hold_up_the_others(bench: Bench) -> None:
    write(bench, "import threading\n\ndef judge(answer):\n    return threading.get_ident()\n")
    outcome = bench.measure(OWN, answer("x"))
    assert isinstance(outcome, Score)
    assert outcome.value != threading.get_ident()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("def judge(answer):\n    x = 1\n    return x / 0\n", "ZeroDivisionError: division by zero (evals/own.py:3)"),
        (
            "def judge(answer):\n    return inner(answer)\n\ndef inner(a):\n    return a['gone']\n",
            "KeyError: 'gone' (evals/own.py:5)",
        ),
        ("async def judge(answer):\n    raise ValueError('no')\n", "ValueError: no (evals/own.py:2)"),
        ("import sys\ndef judge(answer):\n    sys.exit(3)\n", "SystemExit: 3 (evals/own.py:3)"),
        ("def judge(answer):\n    raise StopIteration\n", "StopIteration:  (evals/own.py:2)"),
        ("import json\ndef judge(answer):\n    return json.loads('{')\n", "(evals/own.py:3)"),
    ],
)
def test_an_exception_is_a_failure_with_its_line(bench: Bench, body: str, reason: str) -> None:
    write(bench, body)
    outcome = bench.measure(OWN, answer("x"))
    assert isinstance(outcome, Failure)
    assert outcome.reason.endswith(reason)


@pytest.mark.parametrize("body", ["raise ValueError(KEY)", "return {'value': 1, 'reason': KEY}"])
def test_no_credential_gets_into_a_reason(bench: Bench, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "tulip-4711-tulip")
    write(bench, f"KEY = 'the key is tulip-4711-tulip'\n\ndef judge(answer):\n    {body}\n")
    outcome = bench.measure(OWN, answer("x"))
    assert isinstance(outcome, Score | Failure)
    assert "the key is ***" in outcome.reason


def test_the_identity_follows_the_file(bench: Bench) -> None:
    write(bench, "def judge(answer):\n    return 1\n")
    first = bench.build(OWN)
    write(bench, "def judge(answer):\n    return 2\n")
    assert bench.build(OWN).evaluator.identity != first.evaluator.identity
    assert bench.measure(OWN, answer("x")) == Score(2.0)
    assert first.kind.cached
    assert not list(bench.root.rglob("__pycache__"))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("evals/gone.py:judge", "no such file"),
        ("evals/own.py:jugde", "Did you mean `judge`"),
        ("evals/own.py:number", "is not a function"),
        ("../own.py:judge", "leads out of the project"),
        ("/etc/x.py:judge", "leads out of the project"),
        ("evals/own.py", "should be `FILE.py:FUNCTION`, such as `evals/style.py:brevity`; found 'evals/own.py'"),
        ("evals/own.txt:judge", "should be `FILE.py:FUNCTION`"),
        ("evals/wrong.py:judge", r"evals/wrong.py:2: "),
        ("evals/raises.py:judge", "cannot be loaded: RuntimeError: at import"),
    ],
)
def test_a_function_that_cannot_be_used(bench: Bench, function: str, message: str) -> None:
    write(bench, "def judge(answer):\n    return 1\n\nnumber = 3\n")
    (bench.root / "evals" / "wrong.py").write_text("def judge(answer):\n    return ]\n")
    (bench.root / "evals" / "raises.py").write_text("def judge(answer):\n    return 1\nraise RuntimeError('at import')\n")
    with pytest.raises(InvalidFiles, match=message) as caught:
        bench.build(f"python: {{function: '{function}'}}")
    assert {problem.line for problem in caught.value.problems} == {2}


def test_checking_does_not_run_the_file(bench: Bench) -> None:
    write(bench, "from pathlib import Path\n\nPath(__file__).with_name('ran').touch()\n\ndef judge(answer):\n    return 1\n")
    data, positions = parse_yaml(
        f"evaluators:\n- {OWN}\n- python: {{function: 'evals/own.py:gone', name: other}}\n", "suite.yaml"
    )
    specs = evaluator_specs(data["evaluators"], positions, ("evaluators",))
    with pytest.raises(InvalidFiles) as caught:
        check_evaluators(specs, positions, bench.root)
    assert [problem.line for problem in caught.value.problems] == [3]
    assert not (bench.root / "evals" / "ran").exists()
    bench.build(OWN)
    assert (bench.root / "evals" / "ran").exists()


@pytest.mark.parametrize(
    "body",
    [
        "def plain(f):\n    return lambda answer: f(answer)\n\n@plain\nasync def judge(answer):\n    return 0.5\n",
        "class Judge:\n    async def __call__(self, answer):\n        return 0.5\n\njudge = Judge()\n",
    ],
)
def test_a_function_that_is_not_seen_to_be_async_is_awaited(bench: Bench, body: str) -> None:
    write(bench, body)
    assert bench.measure(OWN, answer("x")) == Score(0.5)
