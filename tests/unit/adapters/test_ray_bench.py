"""What a worker does with its jobs: no Ray is needed for that."""

import asyncio
import os
import pickle
import threading

import pytest

from llmops import __version__
from llmops.adapters.ray_bench import Bench, portable
from llmops.domain.errors import InvalidFiles, LlmopsError, MissingExtra, Problem, RateLimited, TemplateError, WorkerLost
from llmops.domain.jobs import Job, Part, Workshop

COUNTER = Part("counter", ("words",))


class Counter:
    def __init__(self, what: str) -> None:
        self.what = what
        self.called = 0

    async def asked(self, by: int) -> tuple[str, int]:
        self.called += by
        return self.what, self.called

    def thread(self) -> str:
        return threading.current_thread().name

    def refuse(self) -> None:
        raise MissingExtra("counting", "abacus")


class Counters:
    def counter(self, what: str) -> Counter:
        return Counter(what)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("RAYON_NUM_THREADS", "8")
    monkeypatch.setenv("SHOP_API_KEY", "")
    found = Bench()
    assert await found.open(Workshop(Counters, {"SHOP_API_KEY": "tulip-4711"})) == (__version__, os.getpid())
    return found


async def test_a_part_is_built_once_and_keeps_its_state(bench: Bench) -> None:
    jobs = [Job(COUNTER, "asked", (2,)), Job(COUNTER, "asked", (3,)), Job(Part("counter", ("lines",)), "asked", (1,))]
    assert [await bench.run(job) for job in jobs] == [(("words", 2), None), (("words", 5), None), (("lines", 1), None)]


async def test_keys_and_threads_are_set_before_anything_is_built(bench: Bench) -> None:
    assert (os.environ["SHOP_API_KEY"], os.environ["RAYON_NUM_THREADS"]) == ("tulip-4711", "3")


async def test_work_for_the_processor_has_one_thread_beside_the_calls(bench: Bench) -> None:
    found = await asyncio.gather(*(bench.run(Job(COUNTER, "thread", ())) for _ in range(4)))
    assert {name for name, _ in found} == {"llmops-bench_0"}


async def test_an_error_comes_back_as_a_value(bench: Bench) -> None:
    value, error = await bench.run(Job(COUNTER, "refuse", ()))
    assert (value, isinstance(error, LlmopsError)) == (None, True)
    assert str(error) == 'counting needs the `abacus` extra.\nInstall it: pip install "llmops[abacus]"'
    unknown = await bench.run(Job(Part("clock", ()), "now", ()))
    assert isinstance(unknown[1], AttributeError)


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow down", retry_after_s=3.0, hint="wait"),
        WorkerLost("gone"),
        TemplateError("no", file="a.j2", line=3),
        InvalidFiles([Problem("a.yaml", "is empty", line=1)]),
        MissingExtra("x", "y"),
        ValueError("plain"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_say_the_same_after_the_way_back(error: Exception) -> None:
    error.__dict__["attempts"] = 4
    back = pickle.loads(pickle.dumps(portable(error)))
    assert str(back) == str(error)
    if not isinstance(error, MissingExtra):
        assert (type(back), back.__dict__) == (type(error), error.__dict__)


def test_an_error_that_cannot_be_packed_is_told_by_its_name() -> None:
    class Local(Exception):
        pass

    assert str(portable(Local("odd"))) == "Local: odd"
