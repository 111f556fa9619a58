"""Prints what a courtesy does to the hallucination detector: python -m benchmarks.detectors.courtesies DATA_DIR [ANSWERS].

DATA_DIR holds ragtruth_qa/train.jsonl.gz (RAGTruth, MIT labels), which is no part of this repository. Answers about sources
that the encoder never saw, and that hold no courtesy, are judged as they are, with one at their end, and with that left out
again, as the evaluator asks.
"""

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.detectors.finetune import HELD, rows, tenth
from benchmarks.detectors.train import at_half, auroc
from llmops.adapters.embedded_detectors import EmbeddedDetector
from llmops.domain.scores import DetectionRequest
from llmops.scoring.courtesies import without_courtesies

ADDED = (
    "I hope this helps!",
    "Let me know if you have any other questions.",
    "Is there anything else I can help you with?",
    "If you need more information, please feel free to ask. Have a great day!",
)


def main() -> None:
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    found = [row for row in rows(Path(sys.argv[1]) / "ragtruth_qa" / "train.jsonl.gz") if tenth(row["source_id"]) >= 10 - HELD]
    plain = [row for row in found if without_courtesies(row["response"], row["question"]) == row["response"]][:most]
    y = np.array([float(bool(row["labels"])) for row in plain])
    polite = [f"{row['response']} {ADDED[number % len(ADDED)]}" for number, row in enumerate(plain)]
    asked = [without_courtesies(text, row["question"]) for text, row in zip(polite, plain, strict=True)]
    detector = EmbeddedDetector("hallucination")
    table = Table("answers", "sound ones called unsupported", "unsupported ones called so", "AUROC", "balanced accuracy")
    for name, texts in (
        ("as they are", [row["response"] for row in plain]),
        ("with a courtesy", polite),
        ("with it left out again", asked),
    ):
        requests = [DetectionRequest(text, (row["passages"],)) for text, row in zip(texts, plain, strict=True)]
        score = np.array([each.value for each in detector.detect(requests)])
        said = score >= 0.5
        shares = [f"{said[y == label].mean():.1%} of {int((y == label).sum())}" for label in (0, 1)]
        table.add_row(name, *shares, f"{auroc(y, score):.3f}", f"{at_half(y, score)[1]:.3f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
