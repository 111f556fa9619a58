"""Cost of an index: python -m benchmarks.indexing [--documents 150] [--embedder static] [--peer] [--chunks 100000] [DIR]

Builds an index of DIR's Markdown files, else of generated ones, in an empty folder: chunks per second with embedding, peak
memory of the process, an unchanged rebuild, a rebuild after 1 % of the documents changed, and the time of a query from
its text to its hits, on the opened index. Loading the weights and importing are not counted, on either side.

`--peer` builds the same documents with LangChain and Chroma, with the original weights of the same model, in a process and an
environment of its own. CPU seconds depend less on what else the machine does.

`--chunks N` asks an index of N generated chunks instead. Their vectors are drawn, not computed: only the time of a search
is measured, and vectors without structure are the hard case for it. The query is embedded by the real model.
"""

import argparse
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.peers import langchain_run
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
from llmops.settings.indexes import IndexSettings

QUERIES = 300
CHUNKS_PER_PAGE = 5
"""That a generated page is cut into."""
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
        return Retriever(settings, self.embedder, self.vectors, lexical, by_id, fusion_of(self.settings))


def generate(folder: Path, documents: int) -> None:
    """Markdown pages of a made-up language with word frequencies by Zipf's law."""
    draw = random.Random(5)
    words = ["".join(draw.choices(SYLLABLES, k=draw.randint(1, 4))) for _ in range(20_000)]
    weights = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    for number in range(documents):
        page = [f"# Page {number}\n"]
        for section in range(5):
            page.append(f"## Part {section}\n")
            page += [" ".join(draw.choices(words, cum_weights=weights, k=45)).capitalize() + ".\n" for _ in range(3)]
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


class DrawnVectors:
    """Stands for an embedder while a large index is filled; queries are embedded by the real one."""

    def __init__(self, embedder: Embedder) -> None:
        self.identity = f"drawn, {embedder.identity}"
        self.dimensions = embedder.dimensions
        self.max_tokens = embedder.max_tokens
        self.tokenizer = embedder.tokenizer
        self.costly = False
        self._embedder = embedder
        self._draw = np.random.default_rng(3)

    def embed(self, texts: Sequence[str]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        vectors = self._draw.normal(size=(len(texts), self.dimensions)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        return self._embedder.embed_queries(texts)


def large(root: Path, embedder: Embedder, chunks: int, table: Table) -> None:
    """The time of a query on many chunks."""
    generate(root / "docs", chunks // CHUNKS_PER_PAGE + 1)
    bench = Bench(root, DrawnVectors(embedder), "minilm")
    full, full_s = bench.build()
    began = time.perf_counter()
    retriever = bench.opened(full.manifest.key)
    retriever.retrieve(["first"])
    opening_s = time.perf_counter() - began
    p50, p95 = np.quantile(query_times(retriever), [0.5, 0.95])
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and "docs" not in path.parts)
    table.add_row("documents, chunks", f"{len(full.manifest.documents)}, {full.manifest.size} (vectors drawn)")
    table.add_row("filled and opened", f"{full_s:.0f} s, {opening_s:.1f} s, {size / 2**20:.0f} MiB on disk")
    table.add_row("query, embedding included", f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, n {QUERIES}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR")
    parser.add_argument("--documents", type=int, default=150, help="to generate when no DIR is given")
    parser.add_argument("--peer", action="store_true", help="build with LangChain, too")
    parser.add_argument("--peers-dir", type=Path, default=Path(tempfile.gettempdir()) / "llmops-peers")
    parser.add_argument("--chunks", type=int, help="ask an index of so many generated chunks instead")
    parser.add_argument("--embedder", choices=["minilm", "static"], default="minilm")
    options = parser.parse_args()
    embedder: Embedder = OnnxEmbedder() if options.embedder == "minilm" else StaticEmbedder()
    with tempfile.TemporaryDirectory(prefix="llmops-indexing-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        console = Console(width=None if sys.stdout.isatty() else 120)
        table = Table("figure", options.embedder)
        if options.chunks:
            large(root, embedder, options.chunks, table)
            console.print(table)
            return
        if options.folder:
            shutil.copytree(options.folder, root / "docs")
        else:
            generate(root / "docs", options.documents)
        bench = Bench(root, embedder, options.embedder)
        embedder.embed(["the first text loads what the others use"])
        cpu = time.process_time()
        full, full_s = bench.build()
        cpu = time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        plain = langchain_run(options.peers_dir, root / "docs", root / "peer") if options.peer else None
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
        table.add_row("documents, chunks", f"{len(full.manifest.documents)}, {full.manifest.size}")
        rate = full.chunks_embedded / full_s
        table.add_row("full build", f"{full_s:.2f} s, {rate:.0f} chunks/s, {cpu:.1f} s of CPU")
        if plain:
            theirs = plain["chunks"] / plain["seconds"]
            per_chunk = (plain["cpu_s"] / plain["chunks"]) / (cpu / full.chunks_embedded)
            told = (
                f"{plain['seconds']:.2f} s, {theirs:.0f} chunks/s, {plain['cpu_s']:.1f} s of CPU, {plain['chunks']:.0f} chunks"
            )
            table.add_row("LangChain", f"{told}, peak {plain['peak_mib']:.0f} MiB")
            table.add_row("times LangChain's", f"{rate / theirs:.2f} chunks/s, {per_chunk:.2f} chunks per CPU second")
        table.add_row("peak memory", f"{peak:.0f} MiB")
        table.add_row("unchanged", f"{same_s:.2f} s, {100 * same_s / full_s:.1f} % of the full build")
        changed = f"{part.documents_changed} documents, {part.chunks_embedded} chunks embedded"
        table.add_row("1 % changed", f"{part_s:.2f} s, {100 * part_s / full_s:.1f} % of the full build; {changed}")
        table.add_row("open and first query", f"{opening_s:.2f} s")
        p50, p95 = np.quantile(times, [0.5, 0.95])
        table.add_row("query", f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, n {len(times)}")
        console.print(table)


if __name__ == "__main__":
    main()
