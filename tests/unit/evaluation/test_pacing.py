"""Limits per minute, by a clock that the test moves."""

import random

from llmops.evaluation.pacing import MINUTE_S, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(pace: Pace, clock: Clock, calls: list[tuple[float, float]]) -> list[float]:
    """When each call was sent, from what it was expected to take and what it took."""
    times = []
    for expected, taken in calls:
        while (wait := pace.wait_s(expected)) > 0:
            clock.now += wait
        times.append(clock.now)
        pace.settle(pace.send(expected), taken)
    return times


def in_any_minute(times: list[float], weights: list[float]) -> float:
    """The most that falls into a window of a minute."""
    return max(sum(w for t, w in zip(times, weights, strict=True) if start <= t < start + MINUTE_S - 1e-6) for start in times)


def test_without_limits_nothing_waits() -> None:
    assert Pace(None, None).wait_s(1e9) == 0


def test_no_minute_has_more_requests_than_allowed_and_none_is_wasted() -> None:
    clock = Clock()
    times = run(Pace(5, None, clock), clock, [(0, 0)] * 23)
    assert in_any_minute(times, [1] * 23) == 5
    assert times[-1] - times[0] == 4 * MINUTE_S


def test_no_minute_has_more_tokens_than_allowed() -> None:
    clock, rng = Clock(), random.Random(0)
    calls = [(tokens := rng.uniform(1, 90), tokens) for _ in range(60)]
    times = run(Pace(20, 100, clock), clock, calls)
    assert in_any_minute(times, [taken for _, taken in calls]) <= 100
    assert in_any_minute(times, [1] * 60) <= 20


def test_what_a_call_really_took_counts() -> None:
    clock = Clock()
    assert run(Pace(None, 100, clock), clock, [(10, 95), (10, 10)]) == [1000.0, 1000.0 + MINUTE_S]


def test_a_call_above_the_limit_waits_for_an_empty_window_and_is_sent() -> None:
    clock = Clock()
    assert run(Pace(None, 100, clock), clock, [(10, 10), (500, 500), (1, 1)]) == [1000.0, 1060.0, 1120.0]


def test_a_call_that_ends_after_its_minute_changes_nothing() -> None:
    clock = Clock()
    pace = Pace(None, 100, clock)
    sent = pace.send(100)
    clock.now += MINUTE_S + 1
    assert pace.wait_s(100) == 0
    pace.send(100)
    pace.settle(sent, 5000)
    assert pace.wait_s(1) == MINUTE_S
