"""How often the corrected rate's interval holds the truth on simulated judges, beside the raw rate's.

    python -m benchmarks.judges [DIR]

With the folder of data sets, agreement is computed on labelled sets too, beside reference implementations.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from llmops.statistics.agreement import cohens_kappa, krippendorff_alpha
from llmops.statistics.calibration import Confusion, Judged, correct_rate, prediction_powered_mean
from llmops.statistics.intervals import wilson
from llmops.statistics.thresholds import chances, cross_fitted

RUNS = 2000
CASES = 500
LABELS = 200
"""Items with a label, besides the cases."""


def fixed(generator: np.random.Generator, rate: float, sensitivity: float, specificity: float) -> tuple[bool, bool, bool]:
    """Whether the raw and the corrected interval hold the truth, and whether there is a corrected one."""

    def judged(truth: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        return np.asarray(generator.random(len(truth)) < np.where(truth, sensitivity, 1 - specificity))

    truth = generator.random(LABELS) < rate
    confusion = Confusion.count(truth.tolist(), judged(truth).tolist())
    said = int(judged(generator.random(CASES) < rate).sum())
    return _held(said, confusion, rate)


def _held(said: int, confusion: Confusion, rate: float) -> tuple[bool, bool, bool]:
    found, _ = correct_rate(said, CASES, confusion)
    raw = wilson(said, CASES)
    held = found is not None and found.low is not None and found.high is not None and found.low <= rate <= found.high
    assert raw.low is not None and raw.high is not None  # noqa: PT018
    return raw.low <= rate <= raw.high, held, found is not None


def picked(generator: np.random.Generator, rate: float, distance: float, *, active: bool) -> tuple[bool, bool, bool]:
    """As `fixed`, of a judge with a score, its threshold picked from the labels; `active`: the unsure are labelled more."""

    def scored(n: int) -> "tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], np.ndarray[tuple[int], np.dtype[np.float64]]]":
        truth = generator.random(n) < rate
        return truth, generator.normal(np.where(truth, distance, 0.0))

    pool, values = scored(LABELS * 3 if active else LABELS)
    weights = None
    if active:
        chance = np.array(chances(np.exp(-np.abs(values - distance / 2)).tolist(), LABELS))
        chosen = generator.random(len(pool)) < chance
        pool, values, weights = pool[chosen], values[chosen], (1 / chance[chosen]).tolist()
    labels = pool.tolist()
    found = cross_fitted(labels, values.tolist(), weights)
    if found is None:
        return False, False, False
    _, others = scored(CASES)
    return _held(round(found.said_yes(others.tolist()) * CASES), found.confusion, rate)


def means(generator: np.random.Generator, bias: float, noise: float) -> tuple[bool, bool, bool]:
    """As `fixed`, of a judge with a rating that is too high by `bias`."""
    truth = generator.normal(3.0, 1.0, LABELS + CASES)
    judge = truth + bias + generator.normal(0.0, noise, LABELS + CASES)
    labelled, others = Judged(judge[:LABELS].tolist()), Judged(judge[LABELS:].tolist())
    found = prediction_powered_mean(truth[:LABELS].tolist(), labelled, others)
    half = 1.96 * judge.std(ddof=1) / np.sqrt(len(judge))
    assert found is not None and found.low is not None and found.high is not None  # noqa: PT018
    return bool(abs(judge.mean() - 3.0) <= half), found.low <= 3.0 <= found.high, True


def coverage() -> None:
    print(f"Coverage of 95 % intervals, {RUNS} runs each, {CASES} cases, {LABELS} labels")
    print(f"{'judge':<58}{'raw':>8}{'corrected':>11}{'corrected':>11}")
    print(f"{'':<58}{'':>8}{'':>11}{'at all':>11}")
    rows = [
        *(("fixed threshold", fixed, (r, se, sp), {}) for r, se, sp in ((0.7, 0.9, 0.8), (0.9, 0.85, 0.7), (0.5, 0.75, 0.95))),
        *(("picked threshold", picked, (r, d), {"active": False}) for r, d in ((0.7, 2.0), (0.85, 1.5))),
        *(("picked, active labels", picked, (r, d), {"active": True}) for r, d in ((0.7, 2.0), (0.85, 1.5))),
        *(("mean rating", means, each, {}) for each in ((0.3, 0.5), (-0.2, 1.5))),
    ]
    for name, simulate, arguments, options in rows:
        generator = np.random.default_rng(9)
        held = np.array([simulate(generator, *arguments, **options) for _ in range(RUNS)])  # type: ignore[operator]
        raw, corrected = held[:, 0].mean(), held[held[:, 2], 1].mean()
        print(f"{name + ' ' + str(arguments):<58}{raw:>7.1%}{corrected:>10.1%}{held[:, 2].mean():>10.1%}")


def reference_alpha(units: list[list[float]], distance: Callable[[float, float], float]) -> float:
    """Krippendorff's alpha from its coincidence matrix, step by step as the definition has it."""
    values = sorted({value for unit in units for value in unit})
    place = {value: number for number, value in enumerate(values)}
    together = np.zeros((len(values), len(values)))
    for unit in units:
        for i, a in enumerate(unit):
            for j, b in enumerate(unit):
                if i != j:
                    together[place[a], place[b]] += 1 / (len(unit) - 1)
    apart = np.array([[distance(a, b) for b in values] for a in values])
    totals = together.sum(axis=1)
    n = totals.sum()
    return float(1 - (n - 1) * (together * apart).sum() / (np.outer(totals, totals) * apart).sum())


def agreement(folder: Path) -> None:
    from sklearn.metrics import cohen_kappa_score

    print(f"\n{'agreement on labelled sets':<46}{'ours':>14}{'reference':>14}{'difference':>12}")

    def row(name: str, ours: float | None, reference: float) -> None:
        assert ours is not None
        print(f"{name:<46}{ours:>14.10f}{reference:>14.10f}{abs(ours - reference):>12.1e}")

    votes = [json.loads(line) for line in (folder / "pandalm_test" / "all.jsonl").open(encoding="utf-8")]
    for judge in ("gpt35_label", "pandalm7b_label"):
        people = [str(each["majority"]) for each in votes]
        theirs = ["0" if each[judge] == "Tie" else str(each[judge]) for each in votes]
        kappa = cohens_kappa(people, theirs)
        row(f"pandalm {judge}: kappa", None if kappa is None else kappa.value, cohen_kappa_score(people, theirs))
    units = [[float(vote) for vote in each["human_votes"]] for each in votes]
    nominal = krippendorff_alpha(units, "nominal")
    row("pandalm three people: alpha, nominal", nominal, reference_alpha(units, lambda a, b: float(a != b)))
    dialogues = [json.loads(line) for line in (folder / "usr_topical_chat" / "all.jsonl").open(encoding="utf-8")]
    qualities = ("naturalness", "coherence", "engagingness")  # on one scale; the set holds means over people, not each rating
    ratings = [[round(each["scores"][quality], 6) for quality in qualities] for each in dialogues]
    interval = krippendorff_alpha(ratings, "interval")
    row("usr three qualities as raters: alpha, interval", interval, reference_alpha(ratings, lambda a, b: (a - b) ** 2))
    levels = [[round(value) for value in unit] for unit in ratings]
    first, second = [unit[0] for unit in levels], [unit[1] for unit in levels]
    kappa = cohens_kappa(first, second)
    row("usr two qualities as raters: kappa", None if kappa is None else kappa.value, cohen_kappa_score(first, second))


if __name__ == "__main__":
    coverage()
    if len(sys.argv) > 1:
        agreement(Path(sys.argv[1]))
