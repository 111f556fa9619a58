"""Cost of an index: python -m benchmarks.indexing [--documents 150] [--embedder static] [DIR]

Builds an index of DIR's Markdown files, else of generated ones, in an empty folder: chunks per second with embedding, peak
memory of the process, an unchanged rebuild, a rebuild after 1 % of the documents changed, and the time of a query from
its text to its hits, on the opened index.
"""

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from llmops.adapters.bm25 import Bm25Index
from llmops.adapters.chroma import ChromaStore
from llmops.adapters.onnx_embedder import OnnxEmbedder
from llmops.adapters.sql.store import open_store
from llmops.adapters.static_embedder import StaticEmbedder
from llmops.domain.ports import Embedder
from llmops.rag.fusing import fusion_of
from llmops.rag.generations import generation_folder, load_chunks
from llmops.rag.indexing import Built, Indexer
from llmops.rag.loading import fingerprint, load_corpus
from llmops.rag.retrieving import Retriever
from llmops.settings.project import IndexSettings

QUERIES = 300
SYLLABLES = [
    "ka",
    "lo",
    "mi",
    "tu",
    "re",
    "sa",
    "vo",
    "ne",
    "pi",
    "du",
    "ga",
    "shi",
    "fo",
    "be",
    "ran",
    "tel",
    "mor",
    "quin",
    "dar",
    "lis",
]


class Quiet:
    def started(self, what: str, total: int) -> None: ...

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None: ...

    def finished(self) -> None: ...

    def note(self, text: str) -> None: ...


class Bench:
    def __init__(self, root: Path, embedder: Embedder, kind: str) -> None:
        self.root = root
        self.embedder = embedder
        self.settings = IndexSettings.model_validate({"corpus": {"paths": ["docs/**/*.md"]}, "embedder": {"kind": kind}})
        self.store = open_store("sqlite:///store.db", root)
        self.vectors = ChromaStore(self.settings.store, root, "bench", embedder.identity)
        self.folder = root / "index"

    def build(self) -> tuple[Built, float]:
        began = time.perf_counter()
        corpus = load_corpus(self.settings.corpus, self.root)
        indexer = Indexer("bench", self.settings, self.embedder, self.store, self.folder)
        built = indexer.build(corpus.documents, fingerprint(corpus), self.vectors, Quiet())
        return built, time.perf_counter() - began

    def opened(self, key: str) -> Retriever:
        chunks = load_chunks(self.folder, key)
        lexical = Bm25Index(chunks, generation_folder(self.folder, key) / "bm25")
        by_id = {chunk.id: chunk for chunk in chunks}
        settings = self.settings.retrieve
        return Retriever(settings, self.embedder, self.vectors, lexical, by_id, key, fusion_of(self.settings))


def generate(folder: Path, documents: int) -> None:
    """Markdown pages of a made-up language with word frequencies by Zipf's law."""
    draw = random.Random(5)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(20_000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    for number in range(documents):
        page = [f"# Page {number}\n"]
        for section in range(5):
            page.append(f"## Part {section}\n")
            page += [" ".join(draw.choices(words, weights, k=45)).capitalize() + ".\n" for _ in range(3)]
        path = folder / f"{number % 100:02d}" / f"{number:06d}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(page), encoding="utf-8")


def query_times(retriever: Retriever) -> np.ndarray:
    draw = random.Random(6)
    chunks = list(retriever.chunks.values())
    queries = [" ".join(draw.sample(draw.choice(chunks).text.split(), 6)) for _ in range(QUERIES + 5)]
    times = []
    for query in queries:
        began = time.perf_counter()
        retriever.retrieve([query])
        times.append(1000 * (time.perf_counter() - began))
    return np.asarray(times[5:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR")
    parser.add_argument("--documents", type=int, default=150, help="to generate when no DIR is given")
    parser.add_argument("--embedder", choices=["minilm", "static"], default="minilm")
    options = parser.parse_args()
    embedder: Embedder = OnnxEmbedder() if options.embedder == "minilm" else StaticEmbedder()
    with tempfile.TemporaryDirectory(prefix="llmops-indexing-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        if options.folder:
            shutil.copytree(options.folder, root / "docs")
        else:
            generate(root / "docs", options.documents)
        bench = Bench(root, embedder, options.embedder)
        full, full_s = bench.build()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _, same_s = bench.build()
        pages = sorted((root / "docs").rglob("*.md"))
        for page in pages[:: max(1, min(100, len(pages)))]:
            page.write_text(page.read_text(encoding="utf-8") + "\nOne more line.\n", encoding="utf-8")
        part, part_s = bench.build()
        began = time.perf_counter()
        retriever = bench.opened(part.manifest.key)
        retriever.retrieve(["first"])
        opening_s = time.perf_counter() - began
        times = query_times(retriever)
        table = Table("figure", options.embedder)
        table.add_row("documents, chunks", f"{len(full.manifest.documents)}, {full.manifest.size}")
        table.add_row("full build", f"{full_s:.2f} s, {full.chunks_embedded / full_s:.0f} chunks/s")
        table.add_row("peak memory", f"{peak:.0f} MiB")
        table.add_row("unchanged", f"{same_s:.2f} s, {100 * same_s / full_s:.1f} % of the full build")
        changed = f"{part.documents_changed} documents, {part.chunks_embedded} chunks embedded"
        table.add_row("1 % changed", f"{part_s:.2f} s, {100 * part_s / full_s:.1f} % of the full build; {changed}")
        table.add_row("open and first query", f"{opening_s:.2f} s")
        p50, p95 = np.quantile(times, [0.5, 0.95])
        table.add_row("query", f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, n {len(times)}")
        Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
