"""Routers on public recorded answers: python -m benchmarks.routing DIR [--embedder minilm] [--speed]

DIR holds llmrouter_9models/train.jsonl.gz (LLMRouter, MIT) or alpacaeval_prefs/even.jsonl.gz (AlpacaEval, CC BY-NC), or is
one of these folders. Each pair of models is routed between by every policy; `learned` is cross-fitted on 5 folds. The last
row of a set picks the best predicted model of all. --speed measures fitting, one decision and a large replay on made data.
"""

import argparse
import gzip
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from llmops.adapters.onnx_embedder import OnnxEmbedder
from llmops.adapters.static_embedder import StaticEmbedder
from llmops.domain.ports import Embedder
from llmops.domain.route_reports import PolicyReport
from llmops.routing.features import shape
from llmops.routing.learning import Features, chosen_settings, fit, folds_of
from llmops.routing.records import Answered, RecordedRow, Records, records_of
from llmops.routing.replaying import Ends, Replay

PAIRS = {
    "llmrouter_9models": [
        ("mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"),
        ("qwen2.5-7b-instruct", "llama-3.1-nemotron-51b-instruct"),
    ],
    "alpacaeval_prefs": [("gpt-3.5-turbo-1106", "gpt4_1106_preview"), ("FuseChat-Llama-3.2-1B-Instruct", "gpt4_1106_preview")],
}
FILES = {"llmrouter_9models": "train.jsonl.gz", "alpacaeval_prefs": "even.jsonl.gz"}


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def recorded(folder: Path) -> Records:
    if folder.name == "llmrouter_9models":
        found = [(row["id"], row["question"], row["scores"]) for row in rows(folder / FILES[folder.name])]
    else:
        data = rows(folder / FILES[folder.name])
        # The baseline is held against itself: a tie.
        found = [(row["id"], row["instruction"], {**row["win_prob"], row["baseline"]: 0.5}) for row in data]
    return records_of([_row(key, prompt, scores) for key, prompt, scores in found])


def _row(key: str, prompt: str, scores: Mapping[str, float]) -> RecordedRow:
    return RecordedRow(id=key, prompt=prompt, models={name: Answered(quality=min(1.0, q)) for name, q in scores.items()})


def pair(records: Records, names: Sequence[str]) -> Records:
    columns = [records.model(name) for name in names]
    kept = {field: getattr(records, field)[:, columns] for field in ("quality", "cost", "latency")}
    return replace(records, models=tuple(names), **kept)


def features(records: Records, embedder: Embedder) -> Features:
    vectors = [embedder.embed(records.prompts[at : at + 512]) for at in range(0, len(records), 512)]
    return Features(np.concatenate(vectors).astype(float), np.array([shape(prompt) for prompt in records.prompts]))


def shown(value: float | None, policy: PolicyReport, name: str) -> str:
    if value is None:
        return "–"
    low, high = policy.intervals.get(name, (value, value))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def measure(folder: Path, embedder: Embedder, table: Table) -> None:
    records = recorded(folder)
    seen = features(records, embedder)
    for names in PAIRS[folder.name]:
        if not set(names) <= set(records.models):
            continue
        for policy in Replay(pair(records, names), Ends(0, 1, 0.95)).policies(seen):
            if policy.apgr is not None:
                gained = policy.better_than_random
                beats = "" if gained is None else f"[{gained[0]:+.3f}, {gained[1]:+.3f}]"
                figures = (shown(policy.apgr, policy, "apgr"), _percent(policy.cpt50), _percent(policy.cpt80), beats)
                table.add_row(f"{names[0]} -> {names[1]}", policy.name, *figures)
    means = records.quality.mean(axis=0)
    weakest, best = int(means.argmin()), int(means.argmax())
    for policy in Replay(records, Ends(weakest, best, 0.95)).policies(seen):
        if policy.name in ("learned, all models", "oracle", f"always {records.models[best]}"):
            table.add_row(
                f"all {len(records.models)}", policy.name, shown(policy.quality, policy, "quality") + " quality", "", "", ""
            )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def speed(console: Console) -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(10_000, 384))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    made = Features(vectors, draw.normal(size=(10_000, 10)))
    quality = (draw.random((10_000, 9)) < 0.5 + 0.3 * vectors[:, :9]).astype(float)
    table = Table("what", "measured", "per")
    began = time.perf_counter()
    router = fit(made, quality, chosen_settings(made, quality, folds_of([str(i) for i in range(10_000)])))
    table.add_row("fit, settings chosen: 10,000 prompts x 9 models", f"{time.perf_counter() - began:.1f} s", "")
    prompts = [f"Which of the {number} rivers of this land is the longest, and why?" for number in range(200)]
    embedders: dict[str, Embedder] = {"minilm": OnnxEmbedder(), "static": StaticEmbedder()}
    for name, embedder in embedders.items():
        embedder.embed(prompts[:1])
        spent = []
        for prompt in prompts:
            began = time.perf_counter()
            vector = embedder.embed([prompt])
            router.judge(Features(np.resize(vector, (1, 384)), np.array([shape(prompt)])))
            spent.append(1000 * (time.perf_counter() - began))
        told = f"{np.median(spent):.2f} ms, p95 {np.quantile(spent, 0.95):.2f} ms"
        table.add_row(f"a decision, its {name} embedding included", told, "prompt")
    count = 100_000
    big = replace(
        records_of([RecordedRow(id=0, prompt="x", models={m: Answered(quality=0) for m in ("small", "large")})]),
        ids=tuple(map(str, range(count))),
        prompts=("x",) * count,
        quality=(draw.random((count, 2)) < (0.5, 0.7)).astype(float),
        cost=np.full((count, 2), 0.001),
        latency=draw.random((count, 2)),
        groups=tuple(map(str, range(count))),
        signals={f"signal {n}": draw.random((count, 2)) for n in range(5)},
    )
    began = time.perf_counter()
    policies = len(list(Replay(big, Ends(0, 1, 0.95)).policies(None)))
    table.add_row(f"replay of {count:,} requests x {policies} policies, intervals", f"{time.perf_counter() - began:.1f} s", "")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--embedder", choices=["minilm", "static"], default="minilm")
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    embedder: Embedder = OnnxEmbedder() if options.embedder == "minilm" else StaticEmbedder()
    console = Console(width=150)
    if options.folder is not None:
        folders = [options.folder] if options.folder.name in FILES else [options.folder / name for name in FILES]
        table = Table("models", "policy", "APGR [95 %]", "CPT 50 %", "CPT 80 %", "quality over chance [95 %]", box=None)
        for folder in folders:
            if (folder / FILES[folder.name]).is_file():
                measure(folder, embedder, table)
        console.print(table)
    if options.speed:
        speed(console)


if __name__ == "__main__":
    main()
