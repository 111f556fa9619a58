"""Retrieval quality on labelled sets: python -m benchmarks.retrieval DIR... [--embedder static] [--queries 1000]

A chunking-evaluation folder (corpora/*.md, questions.jsonl) is measured chunker by chunker: see `benchmarks.chunking`.

DIR is a BEIR folder (corpus.jsonl, queries.jsonl, qrels/*.tsv), the same with qrels.jsonl, or paragraphs.jsonl with
questions.jsonl (SQuAD). Each corpus goes through the default pipeline: markdown chunker, embedder, Chroma, BM25, fusion.
Hits are collapsed to documents. Intervals are bootstrapped over queries. The last table looks for a better fusion: weight
and constant of that by rank are chosen on half of the queries, on all sets together, and reported on the other half; of that
by scores all weights are shown. Unless --no-peer is given, each corpus also goes through LangChain's plain pipeline with the
original weights of MiniLM: `benchmarks.langchain_pipeline`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.chunking import chunking_tables, is_chunking_folder
from benchmarks.peers import langchain_run
from llmops.adapters.bm25 import Bm25Index
from llmops.adapters.chroma import ChromaStore
from llmops.adapters.onnx_embedder import OnnxEmbedder
from llmops.adapters.sql.store import open_store
from llmops.adapters.static_embedder import StaticEmbedder
from llmops.domain.ports import Embedder
from llmops.domain.retrieval import Document
from llmops.rag.fusing import Fusion, fusion_of, reciprocal_rank_fusion
from llmops.rag.generations import load_chunks
from llmops.rag.indexing import Indexer
from llmops.rag.loading import Corpus, fingerprint
from llmops.rag.retrieving import Retriever
from llmops.settings.indexes import IndexSettings

RESAMPLES = 4000
WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
CONSTANTS = (5, 10, 20, 40, 60, 100)

Ranking = list[str]


@dataclass(frozen=True)
class LabelledSet:
    name: str
    documents: list[Document]
    queries: dict[str, str]
    relevant: dict[str, dict[str, int]]


class Quiet:
    def started(self, what: str, total: int) -> None: ...

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None: ...

    def finished(self) -> None: ...

    def note(self, text: str) -> None: ...


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def load(folder: Path, limit: int) -> LabelledSet:
    if (folder / "paragraphs.jsonl").is_file():
        documents = [Document(row["id"], row["text"]) for row in rows(folder / "paragraphs.jsonl")]
        asked = [row for row in rows(folder / "questions.jsonl") if not row["is_impossible"]]
        queries = {row["id"]: row["question"] for row in asked}
        relevant = {row["id"]: {row["paragraph_id"]: 1} for row in asked}
    else:
        documents = [Document(str(row.get("_id", row.get("id"))), text_of(row)) for row in rows(folder / "corpus.jsonl")]
        queries = {str(row.get("_id", row.get("id"))): row["text"] for row in rows(folder / "queries.jsonl")}
        relevant = judgements(folder)
    documents = [document for document in documents if document.text.strip()]
    chosen = [key for key in queries if any(grade > 0 for grade in relevant.get(key, {}).values())]
    if len(chosen) > limit:
        chosen = [chosen[i] for i in sorted(np.random.default_rng(7).choice(len(chosen), limit, replace=False))]
    return LabelledSet(folder.name, documents, {key: queries[key] for key in chosen}, relevant)


def text_of(row: Mapping[str, Any]) -> str:
    title, text = row.get("title") or "", row["text"]
    return text if not title or text.startswith(title) else f"{title}\n\n{text}"


def judgements(folder: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    if (folder / "qrels.jsonl").is_file():
        for row in rows(folder / "qrels.jsonl"):
            found.setdefault(str(row["query_id"]), {})[str(row["doc_id"])] = int(row["relevance"])
        return found
    files = sorted((folder / "qrels").glob("*.tsv"))
    test = [path for path in files if path.stem == "test"] or files
    for path in test:
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            query, document, grade = line.split("\t")
            found.setdefault(query, {})[document] = int(grade)
    return found


def index_settings(kind: str, **retrieve: str) -> IndexSettings:
    return IndexSettings.model_validate({"corpus": {"beir": "unused"}, "embedder": {"kind": kind}, "retrieve": retrieve})


def pipeline(data: LabelledSet, embedder: Embedder, kind: str) -> Retriever:
    """The default pipeline over a set, giving all its candidates as hits."""
    settings = index_settings(kind)
    root = Path(tempfile.mkdtemp(prefix="llmops-retrieval-"))
    vectors = ChromaStore(settings.store, root, "set", embedder.identity)
    indexer = Indexer("set", settings, embedder, open_store("sqlite:///store.db", root), root / "index")
    built = indexer.build(data.documents, fingerprint(Corpus(tuple(data.documents), ())), vectors, Quiet())
    chunks = load_chunks(root / "index", built.manifest.key)
    by_id = {chunk.id: chunk for chunk in chunks}
    every = settings.retrieve.model_copy(update={"k": settings.retrieve.dense + settings.retrieve.bm25})
    return Retriever(every, embedder, vectors, Bm25Index(chunks), by_id, fusion_of(settings))


def chunk_rankings(retriever: Retriever, queries: Sequence[str]) -> list[Ranking]:
    found: list[Ranking] = []
    for start in range(0, len(queries), 64):
        found += [[str(hit.chunk) for hit in hits] for hits in retriever.retrieve(queries[start : start + 64])]
    return found


class Scores:
    """nDCG@10 and recall@5 of each query, documents in the place of their best chunk."""

    def __init__(self, data: LabelledSet, retriever: Retriever) -> None:
        self._data = data
        self._chunks = retriever.chunks

    def of(self, rankings: Sequence[Ranking]) -> dict[str, list[float]]:
        return self.of_sources([[self._chunks[key].document for key in ranking] for ranking in rankings])

    def of_sources(self, sources: Sequence[Sequence[str]]) -> dict[str, list[float]]:
        """Of the documents of each query's hits, best first."""
        import ir_measures
        from ir_measures import R, nDCG

        run = {}
        for query, found in zip(self._data.queries, sources, strict=True):
            run[query] = {document: 1.0 / rank for rank, document in enumerate(dict.fromkeys(found), start=1)}
        relevant = {query: self._data.relevant[query] for query in self._data.queries}
        measured: dict[str, dict[str, float]] = {"nDCG@10": {}, "recall@5": {}}
        names = {nDCG @ 10: "nDCG@10", R @ 5: "recall@5"}
        for metric in ir_measures.iter_calc(list(names), relevant, run):
            measured[names[metric.measure]][metric.query_id] = metric.value
        return {name: [values.get(query, 0.0) for query in relevant] for name, values in measured.items()}


def interval(values: Sequence[float]) -> tuple[float, float]:
    array = np.asarray(values)
    draws = np.random.default_rng(11).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.quantile(array[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def shown(values: Sequence[float]) -> str:
    low, high = interval(values)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


@dataclass(frozen=True)
class Measured:
    data: LabelledSet
    retriever: Retriever
    scores: Scores
    dense: list[Ranking]
    bm25: list[Ranking]

    def by_scores(self, weight: float) -> list[float]:
        settings = self.retriever.settings.model_copy(update={"fuse": "weighted"})
        retriever = replace(self.retriever, settings=settings, fusion=Fusion(weight))
        return self.scores.of(chunk_rankings(retriever, list(self.data.queries.values())))["nDCG@10"]

    def fused(self, weight: float, constant: int) -> list[float]:
        joined = [
            [key for key, _ in reciprocal_rank_fusion([d, b] if weight else [[], b], weights=[weight, 1.0], k=constant)]
            for d, b in zip(self.dense, self.bm25, strict=True)
        ]
        return self.scores.of(joined)["nDCG@10"]


def peer_sources(data: LabelledSet, home: Path, depth: int) -> list[list[str]]:
    """The documents of the chunks that LangChain's pipeline finds, for each query, best first."""
    with tempfile.TemporaryDirectory(prefix="llmops-peer-", ignore_cleanup_errors=True) as name:
        given = Path(name) / "set.json"
        texts = {document.id: document.text for document in data.documents}
        given.write_text(json.dumps({"documents": texts, "queries": data.queries, "depth": depth}), encoding="utf-8")
        sources = langchain_run(home, given, Path(name) / "chroma")["sources"]
    return [sources[query] for query in data.queries]


def measure(data: LabelledSet, embedder: Embedder, kind: str, table: Table, peers: Path | None) -> Measured:
    retriever = pipeline(data, embedder, kind)
    queries = list(data.queries.values())
    scores = Scores(data, retriever)
    settings = retriever.settings
    bm25 = chunk_rankings(replace(retriever, settings=settings.model_copy(update={"dense": 0})), queries)
    dense = chunk_rankings(replace(retriever, settings=settings.model_copy(update={"bm25": 0})), queries)
    by_rank = index_settings(kind, fuse="rrf")
    ranked = replace(retriever, settings=settings.model_copy(update={"fuse": "rrf"}), fusion=fusion_of(by_rank))
    fused = {"fused by rank": chunk_rankings(ranked, queries), "fused": chunk_rankings(retriever, queries)}
    parts = {name: scores.of(found) for name, found in {"bm25": bm25, "dense": dense, **fused}.items()}
    better = max(("bm25", "dense"), key=lambda name: float(np.mean(parts[name]["nDCG@10"])))
    for name, found in parts.items():
        gain = ""
        if name.startswith("fused"):
            other = "fused by rank" if name == "fused" else better
            gain = f"{shown(np.subtract(found['nDCG@10'], parts[other]['nDCG@10']).tolist())} vs {other}"
        table.add_row(data.name, f"{len(queries)}", name, shown(found["nDCG@10"]), shown(found["recall@5"]), gain)
    if peers is not None:
        theirs = scores.of_sources(peer_sources(data, peers, settings.k))
        gain = f"{shown(np.subtract(parts['fused']['nDCG@10'], theirs['nDCG@10']).tolist())} fused vs it"
        table.add_row(data.name, f"{len(queries)}", "LangChain", shown(theirs["nDCG@10"]), shown(theirs["recall@5"]), gain)
    return Measured(data, retriever, scores, dense, bm25)


def validated(sets: Sequence[Measured]) -> Table:
    """Weight and constant with the best mean nDCG@10 on even queries over all sets, of those that leave none below BM25 there.

    Reported on odd queries.
    """
    grid = {(w, k): [each.fused(w, k) for each in sets] for w in WEIGHTS for k in CONSTANTS}

    def half(values: Sequence[float], start: int) -> float:
        return float(np.mean(values[start::2]))

    bm25 = [each.scores.of(each.bm25)["nDCG@10"] for each in sets]
    safe = [p for p in grid if all(half(v, 0) >= half(b, 0) for v, b in zip(grid[p], bm25, strict=True))]
    best = max(safe, key=lambda point: sum(half(values, 0) for values in grid[point]))
    table = Table("set", "fusion", "odd queries: nDCG@10", "even queries: nDCG@10")
    parts = {"bm25": bm25}
    parts["dense"] = [each.scores.of(each.dense)["nDCG@10"] for each in sets]
    parts["weight 1, k 60"] = grid[1.0, 60]
    parts[f"chosen: weight {best[0]:g}, k {best[1]}"] = grid[best]
    for position, each in enumerate(sets):
        for name, values in parts.items():
            table.add_row(each.data.name, name, f"{half(values[position], 1):.3f}", f"{half(values[position], 0):.3f}")
    for weight in WEIGHTS:
        means = " ".join(f"{np.mean(values):.3f}" for values in grid[weight, 60])
        table.add_row("all", f"by rank, weight {weight:g}, k 60", means, "")
    for weight in WEIGHTS[1:]:
        found = [each.by_scores(weight) for each in sets]
        halves = [" ".join(f"{half(values, start):.3f}" for values in found) for start in (1, 0)]
        table.add_row("all", f"by scores, weight {weight:g}", *halves)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--embedder", choices=["minilm", "static"], default="minilm")
    parser.add_argument("--queries", type=int, default=1000, help="at most this many of a set, drawn with a fixed seed")
    parser.add_argument("--no-peer", action="store_true", help="leave LangChain out")
    parser.add_argument("--peers-dir", type=Path, default=Path(tempfile.gettempdir()) / "llmops-peers")
    options = parser.parse_args()
    embedder: Embedder = OnnxEmbedder() if options.embedder == "minilm" else StaticEmbedder()
    console = Console(width=None if sys.stdout.isatty() else 160)
    for folder in filter(is_chunking_folder, options.folders):
        for each in chunking_tables(folder, options.peers_dir):
            console.print(each)
    options.folders = [folder for folder in options.folders if not is_chunking_folder(folder)]
    if not options.folders:
        return
    table = Table("set", "queries", f"ranking ({options.embedder})", "nDCG@10", "recall@5", "fused - other, nDCG@10")
    peers = None if options.no_peer else options.peers_dir
    sets = [measure(load(folder, options.queries), embedder, options.embedder, table, peers) for folder in options.folders]
    console.print(table)
    console.print(validated(sets))


if __name__ == "__main__":
    main()
