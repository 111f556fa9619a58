"""Measures the shipped detectors on labelled sets that they never saw: python -m benchmarks.detectors.run DATA_DIR.

DATA_DIR holds, as far as they are there: summedits/evaluation.jsonl.gz (Laban et al. 2023, salesforce/factualNLG),
qags/all.jsonl (Wang et al. 2020, W4ngatang/qags), olid/train.jsonl.gz (Zampieri et al. 2019, idontflow/OLID) and
toxicchat_human/train.jsonl (the human part of ToxicChat, Lin et al. 2023). None of it is part of this repository, and none
of it trains what ships, though a few settings of the toxicity detector were chosen with OLID and ToxicChat in view; the
threshold is 0.5 for all. `combine.py` and `combine_toxicity.py` print the figures on the sets
that they train on, held out by source.
"""

import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.detectors.train import at_half, auroc, rows
from llmops.adapters.embedded_detectors import EmbeddedDetector
from llmops.domain.scores import DetectionRequest
from llmops.scoring.reading import terms

DRAWS = 200
BINS = 10
Floats = NDArray[np.float64]
Measure = Callable[[Floats, Floats], float]


@dataclass(frozen=True, slots=True)
class Example:
    """A text, whether it has the fault, and the source that it shares with others."""

    request: DetectionRequest
    faulty: bool
    group: str


def summedits(row: dict[str, Any]) -> Iterator[Example]:
    yield Example(DetectionRequest(row["summary"], (row["doc"],)), not row["consistent"], row["doc"])


def qags(row: dict[str, Any]) -> Iterator[Example]:
    for sentence in row["sentences"]:
        yield Example(DetectionRequest(sentence["sentence"], (row["article"],)), not sentence["majority_consistent"], row["id"])


def olid(row: dict[str, Any]) -> Iterator[Example]:
    yield Example(DetectionRequest(row["text"]), row["offensive"], str(row["id"]))


def toxicchat(row: dict[str, Any]) -> Iterator[Example]:
    yield Example(DetectionRequest(row["text"]), bool(row["toxicity"]), str(row["id"]))


SETS: tuple[tuple[str, str, str, Callable[[dict[str, Any]], Iterator[Example]]], ...] = (
    ("SummEdits, evaluation", "hallucination", "summedits/evaluation.jsonl.gz", summedits),
    ("QAGS, sentences", "hallucination", "qags/all.jsonl", qags),
    ("OLID, train", "toxicity", "olid/train.jsonl.gz", olid),
    ("ToxicChat, train", "toxicity", "toxicchat_human/train.jsonl", toxicchat),
)


def average_precision(y: Floats, score: Floats) -> float:
    """Mean precision at each positive; ties are broken against us, negatives first."""
    order = np.lexsort((y, -score))
    hits = y[order]
    return float((np.cumsum(hits) / np.arange(1, len(y) + 1))[hits == 1].mean())


def f1(y: Floats, score: Floats) -> float:
    return float(at_half(y, score)[0])


def balanced_accuracy(y: Floats, score: Floats) -> float:
    return float(at_half(y, score)[1])


def macro_f1(y: Floats, score: Floats) -> float:
    """Mean of the F1 of the faulty and of the faultless class at 0.5."""
    said = score >= 0.5
    wrong = float((said != (y == 1)).sum())
    found = [2.0 * float((said == c)[y == c].sum()) for c in (0, 1)]
    return sum(double / (double + wrong) for double in found) / 2


def calibration_error(y: Floats, score: Floats) -> float:
    """Expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
    place = np.minimum((score * BINS).astype(int), BINS - 1)
    return float(sum(abs((y - score)[place == b].sum()) for b in range(BINS)) / len(y))


MEASURES: tuple[Measure, ...] = (auroc, average_precision, balanced_accuracy, f1, macro_f1, calibration_error)


def with_interval(y: Floats, score: Floats, group: NDArray[np.int64], measure: Measure) -> str:
    """A figure with its 95 % percentile interval; whole sources are drawn, since their rows resemble each other."""
    sources = int(group.max()) + 1
    draw = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        times = np.bincount(draw.integers(0, sources, sources), minlength=sources)
        some = np.repeat(np.arange(len(y)), times[group])
        if 0 < y[some].sum() < len(some):
            found.append(measure(y[some], score[some]))
    low, high = np.quantile(found, (0.025, 0.975))
    return f"{measure(y, score):.3f} [{low:.3f}, {high:.3f}]"


def new_terms(request: DetectionRequest) -> float:
    """Share of the answer's terms that its passages do not hold."""
    own = terms(request.output)
    return len(own - terms(" ".join(request.contexts))) / len(own) if own else 0.0


def measure_set(table: Table, name: str, kind: str, examples: list[Example]) -> None:
    requests = [example.request for example in examples]
    y = np.array([float(example.faulty) for example in examples])
    group = np.unique([example.group for example in examples], return_inverse=True)[1]
    detector = EmbeddedDetector(kind)
    detector.detect(requests[:1])
    start = perf_counter()
    score = np.array([found.value for found in detector.detect(requests)])
    speed = len(requests) / (perf_counter() - start)
    figures = [with_interval(y, score, group, measure) for measure in MEASURES]
    table.add_row(f"{name} ({kind})", f"{len(y)} / {int(group.max()) + 1}", *figures, f"{speed:.0f}")
    yes = np.ones(len(y))
    always = ["0.500", f"{y.mean():.3f}", "0.500", f"{f1(y, yes):.3f}", f"{macro_f1(y, yes):.3f}", f"{1 - y.mean():.3f}"]
    table.add_row("  always yes", "", *always, "")
    baselines = {"length": np.array([float(len(request.output)) for request in requests])}
    if kind == "hallucination":
        baselines["share of new terms"] = np.array([new_terms(request) for request in requests])
    for title, value in baselines.items():
        table.add_row(f"  {title}", "", *(with_interval(y, value, group, m) for m in MEASURES[:2]), *[""] * 5)
    table.add_section()


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    data = Path(sys.argv[1])
    headings = ("set", "rows / sources", "AUROC [95 %]", "AP", "balanced accuracy", "F1", "macro-F1", "ECE", "texts/s")
    table = Table(*headings, title="Threshold 0.5 as shipped; intervals: bootstrap over sources")
    for name, kind, file, read in SETS:
        if (data / file).is_file():
            measure_set(table, name, kind, [example for row in rows(data / file) for example in read(row)])
        else:
            table.add_row(name, f"no {file}", *[""] * 7)
    console = Console(width=200)
    console.print(table)
    console.print(f"Peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, this benchmark included.")


if __name__ == "__main__":
    main()
