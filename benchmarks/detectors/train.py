"""Prints how far words alone come in telling hallucination, by cross-validation: python -m benchmarks.detectors.train DATA_DIR.

DATA_DIR holds ragtruth_qa/train.jsonl.gz (RAGTruth, MIT labels), which is no part of this repository.
"""

import gzip
import json
import math
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit
from scipy.stats import rankdata

from llmops.scoring.groundedness import claims
from llmops.scoring.grounding import log_odds
from llmops.scoring.sentences import split_sentences

FOLDS = 5
MADE_WEIGHT = 0.08
"""Weight of an answer made by this script, against 1 for one that people labelled."""
Floats = NDArray[np.float64]


def rows(path: Path) -> Iterator[dict[str, Any]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    yield from (json.loads(line) for line in text.splitlines())


def fit(x: Floats | csr_matrix, y: Floats, weight: Floats, penalty: float) -> Floats:
    """L2-penalised logistic regression; the first column of a dense `x` is the bias."""

    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w
        value = np.sum(weight * (np.logaddexp(0, z) - y * z)) + penalty / 2 * w @ w
        return float(value), x.T @ (weight * (expit(z) - y)) + penalty * w

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 400}).x)


def auroc(y: Floats, score: Floats) -> float:
    positive = y == 1
    n, m = positive.sum(), (~positive).sum()
    return float((rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * m))


def at_half(y: Floats, score: Floats) -> tuple[float, float]:
    """F1 and balanced accuracy at the shipped threshold of 0.5."""
    said = score >= 0.5
    tp, fp, fn = (said & (y == 1)).sum(), (said & (y == 0)).sum(), (~said & (y == 1)).sum()
    tn = (~said & (y == 0)).sum()
    return float(2 * tp / (2 * tp + fp + fn)), float((tp / (tp + fn) + tn / (tn + fp)) / 2)


class Answers:
    """RAGTruth answers as sentence features, and answers that this script makes from them."""

    def __init__(self, path: Path) -> None:
        self.sentences: list[tuple[float, ...]] = []
        self.bad: list[float] = []
        self.owner: list[int] = []
        self.y: list[float] = []
        self.made: list[bool] = []
        """True for an answer that this script made: trained on, never reported."""
        self.group: list[str] = []
        self.overlap: list[float] = []
        self.length: list[float] = []
        draw = random.Random(0)
        found = list(rows(path))
        for row in found:
            passages = [p for p in row["passages"].split("\n\n") if p.strip()]
            spans = [(label["start"], label["end"]) for label in row["labels"]]
            self._add(row["source_id"], row["response"], passages, spans, made=False)
            copied = draw.choice(split_sentences(row["passages"])).text
            foreign = draw.choice(split_sentences(draw.choice(found)["response"]) or split_sentences("None.")).text
            changed = re.sub(r"\d+", lambda m: str(int(m[0][:9]) + draw.randint(3, 60)), copied)
            self._add(row["source_id"], copied, passages, [], made=True)
            self._add(row["source_id"], foreign, passages, [(0, len(foreign))], made=True)
            if changed != copied:
                self._add(row["source_id"], changed, passages, [(0, len(changed))], made=True)

    def _add(self, group: str, text: str, passages: list[str], spans: list[tuple[int, int]], *, made: bool) -> None:
        found = claims(text, passages)
        if not found:
            return
        for claim in found:
            self.sentences.append(claim.features)
            self.bad.append(float(any(start < claim.end and end > claim.start for start, end in spans)))
            self.owner.append(len(self.y))
        self.y.append(float(bool(spans)))
        self.made.append(made)
        self.group.append(group)
        self.overlap.append(-float(np.mean([claim.features[1] for claim in found])))
        self.length.append(float(len(text)))


def summary(chances: Sequence[float]) -> tuple[float, ...]:
    """What a regression on words alone sees of an answer: bias, log-odds of its worst and of its mean sentence, length."""
    worst, mean = max(chances), sum(chances) / len(chances)
    return (1.0, log_odds(worst), log_odds(mean), math.log(len(chances)))


def sentence_weights(answers: "Answers", train: NDArray[np.bool_]) -> Floats:
    """The regression on the words of a sentence; `train` chooses answers."""
    x, bad, owner = np.array(answers.sentences), np.array(answers.bad), np.array(answers.owner)
    share = np.where(np.array(answers.made), MADE_WEIGHT, 1.0)
    chosen = train[owner]
    return fit(x[chosen], bad[chosen], share[owner][chosen], 1.0)


def summaries(chances: Floats, owner: NDArray[np.int64], some: Sequence[int]) -> Floats:
    bounds = np.searchsorted(owner, [some, [i + 1 for i in some]])
    return np.array([summary(list(chances[start:end])) for start, end in bounds.T])


def measure_words(data: Path, table: Table) -> None:
    """How far words alone come: the baseline of the fine-tuned encoder, which `combine` measures."""
    answers = Answers(data / "ragtruth_qa" / "train.jsonl.gz")
    x, owner, y = np.array(answers.sentences), np.array(answers.owner), np.array(answers.y)
    fold = np.array([int(sha256(g.encode()).hexdigest(), 16) % FOLDS for g in answers.group])
    made = np.array(answers.made)
    share = np.where(made, MADE_WEIGHT, 1.0)
    score = np.zeros(len(y))
    for k in range(FOLDS):
        train, some = fold != k, np.flatnonzero(fold == k)
        chances = expit(x @ sentence_weights(answers, train))
        seen = np.flatnonzero(train)
        second = fit(summaries(chances, owner, seen.tolist()), y[seen], share[seen], 1.0)
        score[some] = expit(summaries(chances, owner, some.tolist()) @ second)
    real = ~made
    report(table, "hallucination by words alone, RAGTruth QA, grouped 5-fold", y[real], score[real])
    report(table, "  token overlap", y[real], np.array(answers.overlap)[real], baseline=True)
    report(table, "  answer length", y[real], np.array(answers.length)[real], baseline=True)
    report(table, "hallucination by words alone, made single sentences", y[made], score[made])


def report(table: Table, name: str, y: Floats, score: Floats, *, baseline: bool = False) -> None:
    f1, balanced = at_half(y, score)
    always = 2 * y.mean() / (1 + y.mean())
    low, high = interval(y, score, auroc)
    shown = ["", ""] if baseline else [f"{f1:.3f} (always yes {always:.3f})", f"{balanced:.3f}"]
    table.add_row(name, str(len(y)), f"{auroc(y, score):.3f} [{low:.3f}, {high:.3f}]", *shown)


def interval(y: Floats, score: Floats, measure: Callable[[Floats, Floats], float]) -> tuple[float, float]:
    draw = np.random.default_rng(0)
    found = [measure(y[i], score[i]) for i in (draw.integers(0, len(y), len(y)) for _ in range(200))]
    return float(np.quantile(found, 0.025)), float(np.quantile(found, 0.975))


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    data = Path(sys.argv[1])
    table = Table("measured on", "rows", "AUROC [95 %]", "F1 at 0.5", "balanced accuracy")
    measure_words(data, table)
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
