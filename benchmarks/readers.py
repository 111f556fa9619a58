"""How often the embedded readers find, miss and decline: python -m benchmarks.readers DIR [--questions 500]

DIR holds paragraphs.jsonl and questions.jsonl of SQuAD 2 (https://rajpurkar.github.io/SQuAD-explorer/). Each question comes
with its own paragraph and the four that BM25 finds nearest, through the sample prompt. `found`: the answer holds a gold
answer; `declined`: an unanswerable question was declined; `balanced`: the mean of both. The threshold under which a reader
declines is chosen on the questions of half of the titles, and everything is reported on the other half.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from llmops.adapters.bm25 import Bm25Index
from llmops.adapters.embedded_reader import LARGE, SMALL
from llmops.adapters.onnx_embedder import OnnxEmbedder
from llmops.domain.prompts import Message
from llmops.domain.retrieval import Chunk, Hit
from llmops.prompting.registry import Registry
from llmops.scoring.reading import NOT_THERE, ReaderSettings, Similarity, read
from llmops.statistics.intervals import proportion_interval

PASSAGES = 5
THRESHOLDS = (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Question:
    messages: tuple[Message, ...]
    golds: tuple[str, ...]
    """Empty: the paragraphs do not answer it."""
    title: str


@dataclass(frozen=True)
class Outcome:
    found: list[float]
    """Per answerable question: 1 when the answer holds a gold answer."""
    declined: list[float]
    """Per unanswerable question: 1 when it was declined."""

    @property
    def balanced(self) -> float:
        return (sum(self.found) / len(self.found) + sum(self.declined) / len(self.declined)) / 2


def load(folder: Path, count: int) -> list[Question]:
    paragraphs = {row["id"]: row for row in _rows(folder / "paragraphs.jsonl")}
    chunks = {p["id"]: Chunk(p["id"], p["id"], 0, len(p["text"]), p["text"]) for p in paragraphs.values()}
    index = Bm25Index(list(chunks.values()))
    rows = list(_rows(folder / "questions.jsonl"))
    random.Random(0).shuffle(rows)
    rows = rows[:count]
    prompt = Registry(ROOT).resolve("answer")
    found = index.query([row["question"] for row in rows], PASSAGES + 1)
    return [
        Question(
            prompt.render({"question": row["question"]}, _passages(row["paragraph_id"], [hit for hit, _ in near], chunks)),
            () if row["is_impossible"] else tuple(row["answers"]),
            paragraphs[row["paragraph_id"]]["title"],
        )
        for row, near in zip(rows, found, strict=True)
    ]


def _passages(own: str, near: Sequence[str], chunks: dict[str, Chunk]) -> list[Hit]:
    ids = [own, *(chunk_id for chunk_id in near if chunk_id != own)][:PASSAGES]
    random.Random(own).shuffle(ids)
    return [Hit(chunks[i].text, source=i) for i in ids]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def outcome(questions: Sequence[Question], answer: Callable[[Question], str]) -> Outcome:
    result = Outcome([], [])
    for question in questions:
        text = answer(question)
        if question.golds:
            result.found.append(float(text != NOT_THERE and _holds(text, question.golds)))
        else:
            result.declined.append(float(text == NOT_THERE))
    return result


def _holds(text: str, golds: Sequence[str]) -> bool:
    return any(gold.lower() in text.lower() for gold in golds)


def remembering(embedder: OnnxEmbedder) -> Similarity:
    """Cosines of a question with texts; each text is embedded once."""
    vectors: dict[str, Any] = {}

    def cosines(question: str, texts: Sequence[str]) -> list[float]:
        new = [text for text in dict.fromkeys(texts) if text not in vectors]
        vectors.update(zip(new, embedder.embed(new), strict=True) if new else ())
        query = vectors.setdefault(f"query {question}", embedder.embed_queries([question])[0])
        return [float(vectors[text] @ query) for text in texts]

    return cosines


def table(questions: list[Question]) -> Table:
    titles = sorted({question.title for question in questions})
    tuned = set(titles[::2])
    tuning = [question for question in questions if question.title in tuned]
    reported = [question for question in questions if question.title not in tuned]
    shown = Table("reader", "threshold", "shipped", "found", "declined", "balanced", "x always decline", box=None)
    cosines = remembering(OnnxEmbedder())
    shown.add_row("always decline", "", "", *_figures(outcome(reported, lambda _: NOT_THERE)))
    for name, settings, similarity in (("reader-small", SMALL, None), ("reader-large", LARGE, cosines)):

        def reader(at: ReaderSettings, ask: Similarity | None = similarity) -> Callable[[Question], str]:
            return lambda question: read(question.messages, at, ask)

        best = max(THRESHOLDS, key=lambda t: outcome(tuning, reader(replace(settings, threshold=t))).balanced)
        for threshold in dict.fromkeys((0.0, best, settings.threshold)):
            mark = "yes" if threshold == settings.threshold else "chosen" if threshold == best else ""
            got = outcome(reported, reader(replace(settings, threshold=threshold)))
            shown.add_row(name, f"{threshold:.2f}", mark, *_figures(got))
    return shown


def _figures(result: Outcome) -> tuple[str, ...]:
    shares = [
        proportion_interval(values, clusters=range(len(values)), confidence=0.95) for values in (result.found, result.declined)
    ]
    shown = [
        "-" if each is None or each.low is None or each.high is None else _share(each.value, each.low, each.high)
        for each in shares
    ]
    return (*shown, f"{100 * result.balanced:.1f}", f"{result.balanced / 0.5:.2f}")


def _share(value: float, low: float, high: float) -> str:
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=500)
    arguments = parser.parse_args()
    questions = load(arguments.folder, arguments.questions)
    Console(width=110).print(table(questions))


if __name__ == "__main__":
    main()
