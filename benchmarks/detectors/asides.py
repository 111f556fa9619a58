"""Prints what asides do to the hallucination detector: python -m benchmarks.detectors.asides DATA_DIR [ANSWERS].

DATA_DIR holds ragtruth_qa/train.jsonl.gz (RAGTruth, MIT labels), which is no part of this repository. Answers without a
courtesy or the name of a source, about sources that the encoder never saw, are judged as they are, with one at their end, and
with that left out again, as the evaluator asks.
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
from llmops.scoring.claimed import claimed

SOURCE = "docs/guide.md"
COURTESIES = (
    "I hope this helps!",
    "Let me know if you have any other questions.",
    "Is there anything else I can help you with?",
    "If you need more information, please feel free to ask. Have a great day!",
)
NAMED = (f"({SOURCE})", f"[{SOURCE}]", f"\n\nSource: {SOURCE}", f"\n\nSources:\n- {SOURCE}")


def main() -> None:
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    most = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    found = [row for row in rows(Path(sys.argv[1]) / "ragtruth_qa" / "train.jsonl.gz") if tenth(row["source_id"]) >= 10 - HELD]
    plain = [row for row in found if claimed(row["response"], row["question"], [SOURCE]) == row["response"]][:most]
    y = np.array([float(bool(row["labels"])) for row in plain])
    polite, named = (
        [f"{row['response']} {added[number % len(added)]}" for number, row in enumerate(plain)] for added in (COURTESIES, NAMED)
    )
    variants = {
        "as they are": [row["response"] for row in plain],
        "with a courtesy": polite,
        "with the name of a source": named,
        "with the courtesy left out again": [
            claimed(text, row["question"], [SOURCE]) for row, text in zip(plain, polite, strict=True)
        ],
        "with the name left out again": [
            claimed(text, row["question"], [SOURCE]) for row, text in zip(plain, named, strict=True)
        ],
    }
    detector = EmbeddedDetector("hallucination")
    table = Table("answers", "sound ones called unsupported", "unsupported ones called so", "AUROC", "balanced accuracy")
    for name, texts in variants.items():
        requests = [DetectionRequest(text, (row["passages"],)) for text, row in zip(texts, plain, strict=True)]
        score = np.array([each.value for each in detector.detect(requests)])
        said = score >= 0.5
        shares = [f"{said[y == label].mean():.1%} of {int((y == label).sum())}" for label in (0, 1)]
        table.add_row(name, *shares, f"{auroc(y, score):.3f}", f"{at_half(y, score)[1]:.3f}")
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
