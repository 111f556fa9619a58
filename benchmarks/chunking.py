"""Chunkers on a chunking-evaluation folder: text brought by the first five hits, in characters where answers stand.

The folder has `corpora/*.md` and `questions.jsonl` with `references` by character (Chroma's "Evaluating Chunking Strategies
for Retrieval"; github.com/brandonstarxel/chunking_evaluation has the corpora and the questions). The baseline is LangChain's
recursive splitter at 200 tokens without overlap, with the separators of that report, in an environment of its own. All rows
use the same MiniLM; "+ bm25" adds our BM25 and fusion. Search is exact and runs over all corpora together.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.peers import langchain
from llmops.adapters.bm25 import Bm25Index
from llmops.adapters.onnx_embedder import OnnxEmbedder
from llmops.adapters.tiktoken_tokenizer import TiktokenTokenizer
from llmops.domain.retrieval import Chunk, Document
from llmops.rag.chunking import Chunker
from llmops.rag.fusing import reciprocal_rank_fusion
from llmops.rag.packing import hit_of
from llmops.rag.remembering import ProcessMemory, RememberingEmbedder
from llmops.scoring.ranking import RelevantUnit
from llmops.scoring.spans import SPAN_METRICS, span_metrics
from llmops.settings.indexes import ChunkerSettings

HITS = 5
DEPTH = 20
RESAMPLES = 4000
KINDS = ("markdown", "recursive", "sentences", "tokens", "semantic")
SIZES = (100, 180, 200, 240)
COLUMNS = ("recall", "precision", "IoU", "recall - baseline", "IoU - baseline")
BASELINE = """
import json, sys
from langchain_text_splitters import RecursiveCharacterTextSplitter
splitter = RecursiveCharacterTextSplitter.from_tiktoken_encoder(
    "cl100k_base", chunk_size=200, chunk_overlap=0, separators=["\\n\\n", "\\n", ".", "?", "!", " ", ""])
print(json.dumps({name: splitter.split_text(text) for name, text in json.load(sys.stdin).items()}))
"""


@dataclass(frozen=True)
class Questions:
    texts: list[str]
    units: list[list[RelevantUnit]]


def is_chunking_folder(folder: Path) -> bool:
    return (folder / "corpora").is_dir()


def chunking_tables(folder: Path, peers: Path, kinds: Sequence[str] = KINDS, sizes: Sequence[int] = SIZES) -> list[Table]:
    """Every chunker beside the baseline, with paired differences: over all questions, then by vectors for each corpus."""
    corpora = {path.stem: path.read_text(encoding="utf-8") for path in sorted((folder / "corpora").glob("*.md"))}
    questions = read_questions(folder / "questions.jsonl")
    embedder = RememberingEmbedder(OnnxEmbedder(), ProcessMemory())
    rows = {"LangChain recursive 200/0": baseline(corpora, peers)}
    for kind in kinds:
        for size in sizes:
            chunker = Chunker(ChunkerSettings.model_validate({"kind": kind, "max_tokens": size, "overlap": 0}), embedder)
            chunks = [chunk for name, text in corpora.items() for chunk in chunker.chunks(Document(name, text))]
            rows[f"{kind} {size}/0"] = chunks
    found = {name: measured(chunks, questions, embedder) for name, chunks in rows.items()}
    title = f"{folder.name}: {len(questions.texts)} questions, {len(corpora)} corpora, {HITS} hits, %"
    whole = Table("chunker", "chunks", "search", *COLUMNS, title=title)
    for name, searches in found.items():
        for search, scored in searches.items():
            whole.add_row(name, str(len(rows[name])), search, *cells(scored, next(iter(found.values()))[search]))
    places = np.asarray([units[0].path for units in questions.units])
    parts = []
    for corpus in corpora:
        about = places == corpus
        parts.append(Table("chunker", *COLUMNS, title=f"{about.sum()} questions about {corpus}, minilm"))
        for name, searches in found.items():
            parts[-1].add_row(name, *cells(searches["minilm"][about], next(iter(found.values()))["minilm"][about]))
    return [whole, *parts]


def cells(scored: np.ndarray, base: np.ndarray) -> list[str]:
    """The metrics, and how far recall and IoU are from the baseline's."""
    gain = ["", ""] if np.array_equal(scored, base) else [shown(scored[:, column] - base[:, column]) for column in (0, 2)]
    return [*(shown(scored[:, column]) for column in range(3)), *gain]


def read_questions(path: Path) -> Questions:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return Questions([row["question"] for row in rows], [units_of(row) for row in rows])


def units_of(row: Mapping[str, Any]) -> list[RelevantUnit]:
    document, places = row["corpus_id"], [(each["start_index"], each["end_index"]) for each in row["references"]]
    return [RelevantUnit(f"{document}:{start}-{end}", document, None, start, end) for start, end in places]


def baseline(corpora: Mapping[str, str], peers: Path) -> list[Chunk]:
    """The chunks of LangChain's splitter, found again in the text."""
    TiktokenTokenizer().count("")  # tells tiktoken where its encodings lie, in the environment that the splitter inherits
    done = subprocess.run(
        [str(langchain(peers)), "-c", BASELINE], input=json.dumps(corpora), stdout=subprocess.PIPE, text=True, check=True
    )
    chunks: list[Chunk] = []
    for name, texts in json.loads(done.stdout).items():
        at = 0
        for text in texts:
            at = corpora[name].index(text, at)
            chunks.append(Chunk(f"{name}:{at}", name, at, at + len(text), text))
            at += len(text)
    return chunks


def measured(chunks: Sequence[Chunk], questions: Questions, embedder: RememberingEmbedder) -> dict[str, np.ndarray]:
    """Span metrics of each question, for each way to search."""
    vectors = embedder.embed([chunk.text for chunk in chunks])
    nearest = np.argsort(-embedder.embed_queries(questions.texts) @ vectors.T, axis=1)[:, :DEPTH]
    dense = [[chunks[at].id for at in row] for row in nearest]
    lexical = [[key for key, _ in row] for row in Bm25Index(chunks).query(questions.texts, DEPTH)]
    pairs = zip(dense, lexical, strict=True)
    both = [[key for key, _ in reciprocal_rank_fusion(pair, weights=[1.0, 1.0])] for pair in pairs]
    by_id = {chunk.id: chunk for chunk in chunks}
    return {name: scores(ranked, questions, by_id) for name, ranked in (("minilm", dense), ("minilm + bm25", both))}


def scores(ranked: Sequence[Sequence[str]], questions: Questions, chunks: Mapping[str, Chunk]) -> np.ndarray:
    """One row per question: recall, precision, IoU."""
    rows = []
    for keys, units in zip(ranked, questions.units, strict=True):
        found = span_metrics([hit_of(chunks[key]) for key in keys], units, [HITS])
        rows.append([found[f"{name}@{HITS}"] for name in SPAN_METRICS])
    return np.asarray(rows)


def shown(values: np.ndarray) -> str:
    draws = np.random.default_rng(11).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return f"{100 * values.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]"
