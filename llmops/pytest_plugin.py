"""pytest plugin: the cases of a suite as test items, and a fixture that evaluates one answer.

Nothing of llmops is imported before a test asks for it.
"""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from llmops.cli.session import Session
    from llmops.domain.runs import CellResult, EvaluatorResult, Step
    from llmops.evaluation.planning import Plan
    from llmops.wiring import Wiring

MARK = "llmops(suite, min_pass=None): the test takes `llmops_case` and is run for each case of the suite"
ANSWER_SHOWN = 2000
"""Characters of an answer in a failure."""
SHARED_S = 24 * 3600.0
"""How long what processes share is kept, in seconds: none of them knows when the last one is done."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--llmops-*`: as the options of `llmops eval`."""
    group = parser.getgroup("llmops", "language-model evaluations")
    group.addoption("--llmops-project", metavar="DIR", help="folder of the project; default: the nearest llmops.yaml above")
    group.addoption("--llmops-model", action="append", metavar="NAME", help="ask this model instead of the suite's targets")
    group.addoption("--llmops-limit", type=_number_of_cases, metavar="N", help="only the first N cases of each suite")
    group.addoption("--llmops-no-cache", action="store_true", help="reuse nothing of earlier runs")


def _number_of_cases(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} was given; a whole number from 1 on was expected")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARK)


@dataclass(frozen=True)
class EvaluatedCase:
    """One case of a suite, answered by one model with one prompt: what a marked test gets as `llmops_case`."""

    suite: str
    case_id: str
    prompt: str
    target: str
    results: tuple[CellResult, ...] = field(repr=False)
    """One for each repeat."""
    pass_rate: float | None
    """Of the whole suite; None when nothing was judged."""

    @property
    def output(self) -> str:
        """The first answer; empty when there is none."""
        return self.results[0].output or ""

    @property
    def answered(self) -> bool:
        """At least one repeat gave an answer."""
        return any(each.output is not None for each in self.results)

    @property
    def passed(self) -> bool:
        """No repeat failed or did not pass."""
        return all(each.status != "failed" and each.passed is not False for each in self.results)

    def __str__(self) -> str:
        """What is wrong, as a failure tells it: reasons first, since pytest's summary holds the first line alone."""
        from llmops.reporting.quoted import BAR
        from llmops.reporting.safe import safe, unbroken

        place = " · ".join(unbroken(part) for part in (self.suite, self.case_id, self.prompt, self.target) if part)
        lines = []
        for each in self.results:
            if each.status == "failed":
                lines.append(f"no answer: {unbroken(each.error or '')}")
            for name, found in each.evaluations.items():
                if found.passed is False or found.status == "failed":
                    lines.append(f"{name}: {unbroken(found.reason or str(found.value))}")
        lines.append(place)
        if self.output:
            lines += ["answer:", *(f"{BAR}{line}" for line in safe(self.output[:ANSWER_SHOWN]).split("\n"))]
        return "\n  ".join(lines)


class SuiteRun:
    """One suite, run once for all its items, in all processes of pytest-xdist together."""

    def __init__(self, suite: str, config: pytest.Config) -> None:
        self.suite = suite
        self._config = config
        self._cases: dict[tuple[str, str, str], EvaluatedCase] | None = None
        self._missing = ""
        """Why there are cases without a result."""

    def places(self) -> list[tuple[str, str, str]]:
        """Case, prompt and target of each item, in order; nothing is asked for it."""
        return list(dict.fromkeys((cell.case.id, cell.prompt, cell.target) for cell in self._plan()[1].cells()))

    def case(self, place: tuple[str, str, str]) -> EvaluatedCase:
        """The results of an item; the first one runs the suite. Without any the item fails with the reason."""
        from llmops.domain.errors import LlmopsError
        from llmops.reporting.safe import safe, unbroken

        if self._cases is None:
            try:
                self._cases = self._evaluated()
            except LlmopsError as error:
                self._cases, self._missing = {}, str(error)
        if place not in self._cases:
            reason = safe(self._missing).replace("\n", "\n  ")
            pytest.fail(f"{self.suite} · {unbroken(place[0])}: no result\n  {reason}", pytrace=False)
        return self._cases[place]

    def _plan(self) -> tuple[Wiring, Plan]:
        from llmops.cli.suites import suite_path
        from llmops.settings.suite import load_suite
        from llmops.workflows.suite_plans import EvaluateOptions, plan_suite

        option = self._config.getoption
        options = EvaluateOptions(
            models=tuple(option("--llmops-model") or ()),
            limit=option("--llmops-limit"),
            refresh=self._refresh(),
            no_gate=True,
        )
        session = _session(self._config)
        suite = load_suite(suite_path(session, self.suite), session.project.root)
        return session.wiring, plan_suite(suite, session.wiring, options, Silent())

    def _evaluated(self) -> dict[tuple[str, str, str], EvaluatedCase]:
        found, plan = self._plan()
        with self._once(found.root / ".llmops" / "pytest", plan) as shared:
            if "run" not in shared:
                shared["run"] = self._run(found, plan)
            results: dict[tuple[str, str, str], list[CellResult]] = {}
            for each in found.store.results(shared["run"]):
                results.setdefault((each.case_id, each.prompt, each.target), []).append(each)
            told: Any = found.store.report(shared["run"])
            self._missing = "\n".join(told["notes"])
        judged = [each.passed is True for some in results.values() for each in some if _counts(each)]
        rate = sum(judged) / len(judged) if judged else None
        return {place: EvaluatedCase(self.suite, *place, tuple(some), rate) for place, some in results.items()}

    def _refresh(self) -> frozenset[Step]:
        from llmops.domain.runs import STEPS

        return frozenset(STEPS if self._config.getoption("--llmops-no-cache") else ())

    def _run(self, found: Wiring, plan: Plan) -> str:
        import asyncio

        from llmops.workflows.evaluate import evaluate
        from llmops.workflows.suite_plans import EvaluateOptions

        options = EvaluateOptions(refresh=self._refresh(), no_gate=True)
        report, _ = asyncio.run(evaluate(plan, found, options, Silent()))
        if report.status == "interrupted":
            pytest.exit(report.notes[-1], report.exit_code)
        return report.run_id

    @contextmanager
    def _once(self, folder: Path, plan: Plan) -> Iterator[dict[str, Any]]:
        """What the processes of one pytest-xdist run share about this plan; one of them at a time has it."""
        worker: Mapping[str, Any] | None = getattr(self._config, "workerinput", None)
        if worker is None:
            yield {}
            return
        from filelock import FileLock

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{worker['testrunuid']}-{plan.key()}.json"
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                _clear(folder)
            shared: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            yield shared
            path.write_text(json.dumps(shared), encoding="utf-8")


def _clear(folder: Path) -> None:
    """Remove what runs of pytest-xdist left that are long over."""
    for file in folder.iterdir():
        with suppress(OSError):  # another process was faster
            if file.stat().st_mtime < time() - SHARED_S:
                file.unlink()


class Silent:
    """Implements the `Progress` port: pytest shows its own."""

    def started(self, what: str, total: int) -> None:
        """As the port."""

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None:
        """As the port."""

    def finished(self) -> None:
        """As the port."""

    def note(self, text: str) -> None:
        """As the port."""


def _counts(result: CellResult) -> bool:
    return result.status == "failed" or result.passed is not None


def wiring(config: pytest.Config) -> Wiring:
    """The project's objects; where there is no project, those that need none."""
    from llmops.cli.session import wiring_or_bare

    return wiring_or_bare(_session(config))


def _session(config: pytest.Config) -> Session:
    from llmops.cli.session import Session

    return Session(Path(config.getoption("--llmops-project") or config.rootpath), debug=False)


_runs: pytest.StashKey[dict[str, SuiteRun]] = pytest.StashKey()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for each case x prompt x target of the suite that a test is marked with."""
    mark = metafunc.definition.get_closest_marker("llmops")
    taken = "llmops_case" in metafunc.fixturenames
    if mark is None or not (taken or mark in metafunc.definition.own_markers):  # a class or a module may hold other tests
        return
    suite = mark.kwargs.get("suite", mark.args[0] if mark.args else None)
    unknown = set(mark.kwargs) - {"suite", "min_pass"}
    if not isinstance(suite, str) or unknown or not taken:
        raise pytest.Collector.CollectError(f"{metafunc.definition.nodeid}: use @pytest.mark.{MARK}")
    floor = mark.kwargs.get("min_pass")
    if floor is not None and not (isinstance(floor, int | float) and 0 <= floor <= 1):
        told = f"{metafunc.definition.nodeid}: min_pass is {floor!r}; a share of the cases from 0 to 1 was expected."
        raise pytest.Collector.CollectError(told)
    from llmops.domain.errors import LlmopsError

    runs = metafunc.config.stash.setdefault(_runs, {})
    run = runs.setdefault(suite, SuiteRun(suite, metafunc.config))
    try:
        places = run.places()
    except LlmopsError as error:
        elsewhere = "" if _session(metafunc.config).in_project else "\nOr name it where it is: --llmops-project DIR"
        raise pytest.Collector.CollectError(f"{error}{elsewhere}") from None
    varying = [number for number in (0, 1, 2) if number == 0 or len({place[number] for place in places}) > 1]
    names = ["-".join(place[number] for number in varying) for place in places]
    metafunc.parametrize("llmops_case", [(suite, place) for place in places], ids=names, indirect=True)


@pytest.fixture
def llmops_case(request: pytest.FixtureRequest) -> EvaluatedCase:
    """One case of the suite that the test is marked with."""
    if not hasattr(request, "param"):
        pytest.fail(f"`llmops_case` needs a mark: @pytest.mark.{MARK}", pytrace=False)
    suite, place = request.param
    return request.config.stash[_runs][suite].case(place)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Around the test's own body, which is for answers: a case that did not pass fails, or may while `min_pass` holds."""
    case, mark = pyfuncitem.funcargs.get("llmops_case"), pyfuncitem.get_closest_marker("llmops")
    if not isinstance(case, EvaluatedCase) or mark is None:
        return (yield)
    if not case.answered:
        _judge(case, mark.kwargs.get("min_pass"))
    outcome = yield
    _judge(case, mark.kwargs.get("min_pass"))
    return outcome


def _judge(case: EvaluatedCase, floor: float | None) -> None:
    if case.passed:
        return
    told = ""
    if floor is not None and case.pass_rate is not None:
        told = f"{100 * case.pass_rate:.1f} % of the suite pass, at least {100 * floor:g} % were asked for"
        if case.pass_rate >= floor:
            pytest.xfail(f"{told}\n{case}")
    pytest.fail(f"{case}\n  {told}".rstrip(), pytrace=False)


class Evaluate(Protocol):
    """What the fixture `llmops_evaluate` gives."""

    def __call__(
        self,
        evaluator: str | dict[str, Any],
        output: str,
        *,
        input: str = "",
        contexts: str | Sequence[str] = (),
        expected: object = None,
    ) -> EvaluatorResult:
        """Evaluate one answer.

        Args:
            evaluator: as an entry of a suite: `"toxicity"`, `{"contains": {"any": ["yes"]}}`.
            output: the answer.
            input: the question.
            contexts: the passage, or the passages, that the answer should rest on.
            expected: what the case expects; `{"contains": {"any": "expected"}}` refers to it.
        """
        ...


@pytest.fixture
def llmops_evaluate(request: pytest.FixtureRequest) -> Evaluate:
    """A function that evaluates one answer with any evaluator, as in `assert evaluate("toxicity", answer).passed`."""

    def evaluate(
        evaluator: str | dict[str, Any],
        output: str,
        *,
        input: str = "",
        contexts: str | Sequence[str] = (),
        expected: object = None,
    ) -> EvaluatorResult:
        from llmops.domain.errors import LlmopsError
        from llmops.evaluation.own_loop import waited
        from llmops.workflows.score import score_answer

        __tracebackhide__ = True  # a failure shows the line of the test
        if not isinstance(evaluator, str | dict):
            raise TypeError(
                f"an evaluator is a name or a mapping such as {{'contains': {{'any': ['yes']}}}}, not {evaluator!r}"
            )
        found = wiring(request.config)

        async def judged() -> EvaluatorResult:
            async with found.judges.running():
                return await score_answer(
                    evaluator, output, found.services, question=input, contexts=contexts, expected=expected
                )

        try:
            return waited(judged())
        except LlmopsError as error:
            raise error.with_traceback(None) from None

    return evaluate
