"""Prints how far words alone come in telling hallucination, by cross-validation: python -m benchmarks.detectors.train DATA_DIR.

DATA_DIR holds ragtruth_qa/train.jsonl.gz (RAGTruth, MIT labels), which is no part of this repository.
"""

import gzip
import json
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

from llmops.scoring.groundedness import FEATURES, claims
from llmops.scoring.grounding import sentence_features
from llmops.scoring.sentences import split_sentences

FOLDS = 5
CURVE = (25, 50, 100)
"""Shares of the training sources, in percent."""
MADE_WEIGHT = 0.3
"""Weight of an answer made by this script, against 1 for one that people labelled."""
BOOSTING = {
    "learning_rate": 0.05,
    "max_iter": 150,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 40,
    "l2_regularization": 5.0,
    "max_features": 0.3,
    "early_stopping": False,
    "random_state": 0,
}
"""Chosen by cross-validation on RAGTruth, grouped by source."""
SUPPORT = FEATURES.index("best")
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
        seen: set[str] = set()
        for row in found:
            spans = [(label["start"], label["end"]) for label in row["labels"]]
            self._add(row, row["response"], spans, made=False)
            if row["source_id"] in seen:
                continue
            seen.add(row["source_id"])
            copied = draw.choice(split_sentences(row["passages"])).text
            foreign = draw.choice(split_sentences(draw.choice(found)["response"]) or split_sentences("None.")).text
            changed = re.sub(r"\d+", lambda m: str(int(m[0][:9]) + draw.randint(3, 60)), copied)
            self._add(row, copied, [], made=True)
            self._add(row, foreign, [(0, len(foreign))], made=True)
            if changed != copied:
                self._add(row, changed, [(0, len(changed))], made=True)

    def _add(self, row: dict[str, Any], text: str, spans: list[tuple[int, int]], *, made: bool) -> None:
        found = claims(text, [row["passages"]])
        if not found:
            return
        for claim in found:
            self.sentences.append(claim.features)
            self.bad.append(float(any(start < claim.end and end > claim.start for start, end in spans)))
            self.owner.append(len(self.y))
        self.y.append(float(bool(spans)))
        self.made.append(made)
        self.group.append(row["source_id"])
        self.overlap.append(-float(np.mean([claim.features[SUPPORT] for claim in found])))
        self.length.append(float(len(text)))


def sentence_model(answers: Answers, train: NDArray[np.bool_]) -> Any:  # noqa: ANN401 -- scikit-learn is not typed
    """Boosted trees on the words of a sentence; `train` chooses answers."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, bad, owner = np.array(answers.sentences), np.array(answers.bad), np.array(answers.owner)
    share = np.where(np.array(answers.made), MADE_WEIGHT, 1.0)
    chosen = train[owner]
    return HistGradientBoostingClassifier(**BOOSTING).fit(x[chosen], bad[chosen], sample_weight=share[owner][chosen])


def listed(model: Any) -> dict[str, Any]:  # noqa: ANN401
    """Boosted trees as `Boosted.read` takes them, with rounded numbers."""
    trees = []
    for (predictor,) in model._predictors:
        nodes = predictor.nodes
        numbers = {"limit": nodes["num_threshold"], "value": nodes["value"]}
        short = {name: [float(f"{each:.6g}") for each in own] for name, own in numbers.items()}
        feature = np.where(nodes["is_leaf"], -1, nodes["feature_idx"]).tolist()
        trees.append({"feature": feature, "left": nodes["left"].tolist(), "right": nodes["right"].tolist(), **short})
    return {"base": float(model._baseline_prediction[0, 0]), "trees": trees}


def summaries(odds: Floats, owner: NDArray[np.int64], some: Sequence[int]) -> Floats:
    """What a regression on words alone sees of some answers, from the log-odds of their sentences."""
    bounds = np.searchsorted(owner, [some, [i + 1 for i in some]])
    return np.array([sentence_features(expit(odds[start:end]).tolist()) for start, end in bounds.T])


def scores(answers: Answers, number: NDArray[np.int64], part: int) -> Floats:
    """Each answer judged by its words, by what was fitted on `part` percent of the sources of the other folds."""
    x, owner, y = np.array(answers.sentences), np.array(answers.owner), np.array(answers.y)
    share = np.where(np.array(answers.made), MADE_WEIGHT, 1.0)
    fold, half = number % FOLDS, number // FOLDS // 100 % 2
    score = np.zeros(len(y))
    for k in range(FOLDS):
        train = (fold != k) & (number // FOLDS % 100 < part)
        # The regression sees sentences as they will look to it: judged by trees that did not learn from their source.
        parts = [(train, fold == k), *((train & (half != each), train & (half == each)) for each in (0, 1))]
        odds = np.zeros(len(x))
        for learnt, judged in parts:
            odds[judged[owner]] = sentence_model(answers, learnt).decision_function(x[judged[owner]])
        some, seen = np.flatnonzero(fold == k), np.flatnonzero(train)
        second = fit(summaries(odds, owner, seen.tolist()), y[seen], share[seen], 1.0)
        score[some] = expit(summaries(odds, owner, some.tolist()) @ second)
    return score


def measure_words(data: Path, table: Table) -> None:
    """How far words alone come, with a learning curve: the baseline of the fine-tuned encoder, which `combine` measures."""
    answers = Answers(data / "ragtruth_qa" / "train.jsonl.gz")
    y, made = np.array(answers.y), np.array(answers.made)
    number = np.array([int(sha256(group.encode()).hexdigest()[:12], 16) for group in answers.group])
    real = ~made
    for part in CURVE:
        score = scores(answers, number, part)
        report(table, f"hallucination by words alone, RAGTruth QA, grouped 5-fold, {part} % of sources", y[real], score[real])
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
