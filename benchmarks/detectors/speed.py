"""Speed and memory of the embedded detectors: python -m benchmarks.detectors.speed [LINES]

Answers and their passages of 500 tokens are cut from the manual, texts are the sentences of the contrast set. A product of
matrices tells what the processor can do. Each detector is also loaded in a fresh process. Then `llmops score` reads a log of
LINES lines (100,000), each with a text for `toxicity` and every hundredth with passages for `hallucination`.
"""

import json
import os
import resource
import subprocess
import sys
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.detectors.contrast import sentences
from llmops.adapters.embedded_detectors import EmbeddedDetector
from llmops.adapters.hf_tokenizer import HfTokenizer
from llmops.adapters.weights import packaged
from llmops.domain.scores import DetectionRequest
from llmops.scoring.sentences import split_sentences

ROOT = Path(__file__).parents[2]
TOKENS, ANSWERS, TEXTS = 500, 100, 1524
EVERY = 100
"""One in so many lines of the log has passages."""
LOAD = """
from time import perf_counter
start = perf_counter()
from llmops.adapters.embedded_detectors import EmbeddedDetector
from llmops.domain.scores import DetectionRequest
EmbeddedDetector("{kind}").detect([DetectionRequest("A text.", ("A passage.",))])
print(perf_counter() - start)
"""


def answers() -> list[DetectionRequest]:
    """Passages of 500 tokens from the manual, with three sentences as the answer: two of the passage and a foreign one."""
    text = "\n\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))
    offsets = HfTokenizer(packaged("minilm") / "tokenizer.json").offsets(text)
    passages = [text[offsets[n][0] : offsets[n + TOKENS - 1][1]] for n in range(0, len(offsets) - TOKENS, TOKENS)]
    found = []
    for number, passage in zip(range(ANSWERS), cycle(passages), strict=False):
        own = split_sentences(passage)
        foreign = split_sentences(passages[(number + 7) % len(passages)])
        found.append(DetectionRequest(" ".join(s.text for s in (own[1], own[-2], foreign[len(foreign) // 2])), (passage,)))
    return found


def rate(kind: str, requests: list[DetectionRequest]) -> float:
    """Requests a second, after the first one has loaded the model."""
    detector = EmbeddedDetector(kind)
    detector.detect(requests[:1])
    start = perf_counter()
    detector.detect(requests)
    return len(requests) / (perf_counter() - start)


def product() -> float:
    """Products of float32 matrices of 1,024 rows and columns, in GFLOP a second."""
    left = np.random.default_rng(0).random((1024, 1024), np.float32)
    left @ left
    start = perf_counter()
    for _ in range(20):
        left @ left
    return 20 * 2 * 1024**3 / (perf_counter() - start) / 1e9


def loading(kind: str) -> float:
    """Seconds from the import to the first finding, in a fresh process."""
    done = subprocess.run([sys.executable, "-c", LOAD.format(kind=kind)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def score(lines: int) -> tuple[float, float]:
    """Seconds and peak memory in MiB of `llmops score` over a log."""
    held = answers()
    with TemporaryDirectory() as folder, (Path(folder) / "log.jsonl").open("w", encoding="utf-8") as log:
        for number, each in enumerate(islice(cycle(sentences()), lines)):
            request = held[number // EVERY % len(held)]
            line = (
                {"output": f"{each.text} {number}"}
                if number % EVERY
                else {"output": request.output, "contexts": request.contexts}
            )
            log.write(f"{json.dumps(line)}\n")
        log.close()
        command = [sys.executable, "-c", "from llmops.cli.main import main; main()", "score", "log.jsonl", "--out", "out.jsonl"]
        start = perf_counter()
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
        return perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    if len(sys.argv) > 2:
        raise SystemExit(__doc__)
    lines = int(sys.argv[1]) if len(sys.argv) == 2 else 100_000
    texts = [DetectionRequest(each.text) for each in sentences()][:TEXTS]
    table = Table("measured", "figure", title=f"{len(os.sched_getaffinity(0))} cores")
    table.add_row(
        f"hallucination, answers with {TOKENS} tokens of passages", f"{rate('hallucination', answers()):.0f} a second"
    )
    table.add_row("toxicity, sentences", f"{rate('toxicity', texts):.0f} a second")
    table.add_row("for comparison: a product of matrices", f"{product():.0f} GFLOP a second")
    for kind in ("hallucination", "toxicity"):
        table.add_row(f"{kind}, loading and the first answer", f"{min(loading(kind) for _ in range(3)):.2f} s")
    seconds, memory = score(lines)
    table.add_row(f"llmops score, {lines:,} lines", f"{lines / seconds:.0f} lines a second")
    table.add_row("  its peak memory", f"{memory:.0f} MiB")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
