"""Pairs of values are judged as the statistics say, whatever a file holds."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from llmops.domain.errors import InvalidFiles
from llmops.domain.reports import Direction, Flip
from llmops.evaluation.comparing import MAX_FLIPS, Flips, Pairs, Question, adjusted, compared
from llmops.evaluation.evaluators.base import ANY, COUNT, Bounds
from llmops.evaluation.pair_files import LARGEST, read_pairs
from llmops.statistics.matched_pairs import tango


def pairs(baseline: list[float], candidate: list[float], cases: list[int] | None = None) -> Pairs:
    found = Pairs()
    for number, (before, after) in enumerate(zip(baseline, candidate, strict=True)):
        found.add(before, after, cases[number] if cases else number)
    return found


def test_rates_get_tangos_interval_and_mcnemars_mid_p() -> None:
    before, after = [1.0] * 90 + [0.0] * 10, [1.0] * 86 + [0.0] * 8 + [1.0] * 6
    found = compared("m", pairs(before, after), Question(0.95, 0.05))
    assert found is not None
    wins, losses = 6, 4
    assert (found.wins, found.losses, found.ties) == (wins, losses, 90)
    assert found.difference == pytest.approx(0.02)
    assert found.interval == pytest.approx(tango(wins, losses, 100, 0.9))
    mid = 2 * stats.binom.cdf(4, 10, 0.5) - stats.binom.pmf(4, 10, 0.5)
    assert found.p_value == pytest.approx(mid)
    assert found.verdict == "pass"


def test_means_without_skewness_get_students_t_where_they_are_bounded() -> None:
    draw = np.random.default_rng(0)
    before, change = draw.uniform(0.3, 0.6, 40), draw.uniform(0.0, 0.2, 20)
    after = before + 0.05 + np.concatenate([change, -change])
    found = compared("m", pairs(before.tolist(), after.tolist()), Question())
    assert found is not None
    expected = stats.ttest_rel(after, before)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.9)))
    assert found.effect_size == pytest.approx((after - before).mean() / (after - before).std())


def test_the_same_answer_everywhere_passes_only_a_margin_that_so_few_cases_can_show() -> None:
    same = pairs([1.0] * 80, [1.0] * 80)
    wide, narrow = (compared("m", same, Question(0.95, margin)) for margin in (0.05, 0.02))
    assert wide is not None
    assert narrow is not None
    assert (wide.verdict, narrow.verdict) == ("pass", "inconclusive")
    assert wide.interval == pytest.approx((-0.0327, 0.0327), abs=2e-4)


def test_a_loss_beyond_the_margin_fails_and_a_gain_never_does() -> None:
    worse = compared("m", pairs([1.0] * 100, [0.0] * 40 + [1.0] * 60), Question(0.95, 0.05))
    better = compared("m", pairs([0.0] * 40 + [1.0] * 60, [1.0] * 100), Question(0.95, 0.05))
    assert worse is not None
    assert better is not None
    assert (worse.verdict, better.verdict) == ("fail", "pass")


def test_less_is_better_turns_the_verdict_around() -> None:
    rising = pairs([0.1 + i / 1000 for i in range(50)], [0.5 + i / 900 for i in range(50)])
    as_quality = compared("m", rising, Question(0.95, 0.1))
    as_cost = compared("m", rising, Question(0.95, 0.1), "lower is better")
    assert as_quality is not None
    assert as_cost is not None
    assert (as_quality.verdict, as_cost.verdict) == ("pass", "fail")


@pytest.mark.parametrize(
    ("direction", "counts"), [("higher is better", (5, 1, 2)), ("lower is better", (1, 5, 2)), ("neither", (1, 5, 2))]
)
def test_won_is_what_is_better(direction: Direction, counts: tuple[int, int, int]) -> None:
    found = compared("m", pairs([1, 1, 1, 1, 1, 1.5, 2, 2], [2, 3, 4, 5, 0.5, 3, 2, 2]), Question(), direction)
    assert found is not None
    assert (found.wins, found.losses, found.ties) == counts


def test_missing_values_that_could_change_the_answer_make_it_inconclusive() -> None:
    full = pairs([1.0] * 200, [1.0] * 200)
    assert (found := compared("m", full, Question(0.95, 0.05))) is not None
    assert found.verdict == "pass"
    full.missing += [(1.0, None, 200 + number) for number in range(3)]
    assert (found := compared("m", full, Question(0.95, 0.05))) is not None
    assert found.verdict == "pass"
    full.missing += [(1.0, None, 300 + number) for number in range(40)]
    assert (found := compared("m", full, Question(0.95, 0.05))) is not None
    assert found.verdict == "inconclusive"
    assert found.n == 200


def graded(missing: int, known: Bounds) -> Pairs:
    """200 cases on a scale from 3 to 5 that differ little, some of the candidate's without a value."""
    draw = np.random.default_rng(0)
    before = draw.choice([3.0, 4.0, 5.0], 200)
    after = np.clip(before + draw.choice([-1.0, 0.0, 0.0, 0.0, 1.0], 200), 3, 5)
    found = Pairs(known=known)
    for number in range(200):
        found.add(float(before[number]), None if number < missing else float(after[number]), number)
    return found


@pytest.mark.parametrize(
    ("missing", "known", "verdict"),
    [
        (0, ANY, "pass"),
        (1, ANY, "inconclusive"),
        (21, ANY, "inconclusive"),
        (21, COUNT, "inconclusive"),
        (1, (1.0, 5.0), "pass"),
        (21, (1.0, 5.0), "inconclusive"),
    ],
)
def test_missing_values_of_a_scale_count_by_its_bounds_and_without_them_leave_everything_open(
    missing: int, known: Bounds, verdict: str
) -> None:
    found = compared("m", graded(missing, known), Question(0.95, 0.2))
    assert found is not None
    assert found.verdict == verdict


def test_no_side_of_a_count_reaches_below_zero() -> None:
    few = pairs([1.0, 1.0, 1.0, 40.0], [2.0, 1.0, 1.0, 50.0])
    few.known = COUNT
    found = compared("m", few, Question(0.95, None))
    assert found is not None
    assert found.baseline_interval is not None
    assert found.candidate_interval is not None
    assert (found.baseline_interval[0], found.candidate_interval[0]) == (0.0, 0.0)


def test_dollars_below_one_are_no_shares() -> None:
    nothing, cents = (Pairs(known=COUNT) for _ in range(2))
    for case in range(8):
        nothing.add(0.0, 0.0, case)
        cents.add(0.01 * case, 0.02 * case, case)
    found = compared("cost.mean", nothing, Question())
    assert found is not None
    assert (found.difference, found.interval, found.candidate_interval) == (0, None, None)
    assert found.effect_size is None
    cents.add(0.01, None, 8)
    judged = compared("cost.mean", cents, Question(margin=0.5), "lower is better")
    assert judged is not None
    assert judged.verdict == "inconclusive"  # what the missing answer cost is not known


def test_ones_of_a_wider_scale_are_no_shares() -> None:
    narrow, wide = pairs([1.0] * 80, [1.0] * 80), pairs([1.0] * 80, [1.0] * 80)
    wide.known = (0.0, 4.0)
    found, wider = (compared("m", each, Question(0.95, 0.05)) for each in (narrow, wide))
    assert found is not None
    assert wider is not None
    assert found.interval is not None
    assert wider.interval == pytest.approx(tuple(4 * end for end in found.interval))
    assert (found.verdict, wider.verdict) == ("pass", "inconclusive")


def test_repeats_of_a_case_are_one_case() -> None:
    before, after = [1.0] * 100, [0.0] * 20 + [1.0] * 80
    once = compared("m", pairs(before, after), Question())
    clustered = compared("m", pairs(before, after, [i // 5 for i in range(100)]), Question())
    assert once is not None
    assert clustered is not None
    assert (once.n, clustered.n) == (100, 20)
    assert clustered.interval is not None
    assert once.interval is not None
    assert clustered.interval[1] - clustered.interval[0] > once.interval[1] - once.interval[0]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.floats(0.01, 0.5))
def test_verdict_interval_and_difference_agree(flags: list[tuple[bool, bool]], margin: float) -> None:
    found = compared("m", pairs([float(a) for a, _ in flags], [float(b) for _, b in flags]), Question(0.95, margin))
    assert found is not None
    assert found.interval is not None
    low, high = found.interval
    assert low <= found.difference <= high
    assert found.verdict == ("pass" if low > -margin else "fail" if high <= -margin else "inconclusive")
    assert found.wins + found.losses + found.ties == found.n == len(flags)


def test_p_values_are_adjusted_over_what_was_tested() -> None:
    moved = [
        compared(str(i), pairs([0.0] * 30 + [1.0] * 30, [1.0] * (i + 6) + [0.0] * (24 - i) + [1.0] * 30), Question())
        for i in range(2)
    ]
    found = adjusted([each for each in moved if each is not None], "holm")
    assert found[0].p_value is not None
    assert found[0].p_adjusted == pytest.approx(found[0].p_value)
    assert found[1].p_value is not None
    assert found[1].p_adjusted == pytest.approx(2 * found[1].p_value)


ROWS = [
    {"id": "a", "metric": "correct", "baseline": 1, "candidate": 0},
    {"id": "b", "metric": "correct", "baseline": True, "candidate": None},
    {"id": "a", "metric": "score", "baseline": 0.5, "candidate": 0.25, "repeat": 1},
    {"id": "a", "metric": "score", "baseline": 0.5, "candidate": 0.75, "repeat": 2},
]


def test_csv_and_jsonl_say_the_same(tmp_path: Path) -> None:
    lines, table = tmp_path / "p.jsonl", tmp_path / "p.csv"
    lines.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    with table.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "metric", "baseline", "candidate", "repeat"])
        writer.writeheader()
        writer.writerows(ROWS)
    for path in (lines, table):
        found = read_pairs(path, tmp_path)
        assert list(found) == ["correct", "score"]
        assert list(found["correct"].baseline) == [1.0]
        assert found["correct"].missing == [(1.0, None, 1)]
        assert list(found["score"].cases) == [0, 0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no pair"),
        ('{"id": "a", "metric": "m", "baseline": 1}\n', "p.jsonl:1: `candidate`: is missing"),
        ('{"id": "a", "metric": "m", "baseline": NaN, "candidate": 1}\n', "holds a value that JSON has not, such as NaN"),
        ('{"id": "a", "metric": "m", "baseline": "x", "candidate": 1}\n', "`baseline`: 'x' is not a number"),
        ('{"id": "a", "metric": "m", "baseline": 0, "candidate": 1e308}\n', "p.jsonl:1: `candidate`: 1e+308 is too large"),
        ('{"id": "", "metric": "m", "baseline": 1, "candidate": 1}\n', "`id`: is empty"),
        (
            '{"id": "a", "metric": "m", "baseline": 1, "candidate": 1}\n' * 2,
            "p.jsonl:2: the pair of id 'a' and metric 'm' stands twice",
        ),
        ("[1]\n", "is not an object"),
        ("{\n", "is not valid JSON"),
    ],
)
def test_a_bad_line_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidFiles) as caught:
        read_pairs(path, tmp_path)
    assert told in str(caught.value)


@pytest.mark.parametrize("n", [3, 40, 1200])
def test_the_largest_values_that_are_read_can_be_compared(tmp_path: Path, n: int) -> None:
    draw = np.random.default_rng(0)
    sides = [(float(a), float(b)) for a, b in draw.choice([-LARGEST, 0, LARGEST], (n, 2))]
    rows = ({"id": i, "metric": "m", "baseline": a, "candidate": b} for i, (a, b) in enumerate([(LARGEST, -LARGEST), *sides]))
    (tmp_path / "p.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    found = compared("m", read_pairs(tmp_path / "p.jsonl", tmp_path)["m"], Question(0.95, 0.1))
    assert found is not None
    assert found.interval is not None


def test_every_flip_is_counted_and_the_first_are_kept_critical_and_broken_ones_before_others() -> None:
    flips = Flips()
    for number in range(3 * MAX_FLIPS + 7):
        flips.add(Flip(f"c{number}", "p", "t", 0, number % 3 != 0, ("x",), "", "", "", number == 3 * MAX_FLIPS + 2))
    assert (flips.broken, flips.mended) == (2 * MAX_FLIPS + 4, MAX_FLIPS + 3)
    assert len(flips.first) == MAX_FLIPS
    assert [flip.case_id for flip in flips.first[:3]] == [f"c{3 * MAX_FLIPS + 2}", "c1", "c2"]
    assert all(flip.broken for flip in flips.first)
