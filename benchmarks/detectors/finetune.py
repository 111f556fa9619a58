"""Fine-tunes MiniLM-L6 as a token classifier of unsupported text: python -m benchmarks.detectors.finetune DATA OUT

Reads (evidence, answer) windows and says for each token of the answer, and for the window, whether the evidence supports
it. Trained on RAGTruth QA (MIT labels; spans), BEGIN (CC BY 4.0, CDLA-Sharing 1.0; whole replies), CLAP NQ (Apache-2.0;
supported answers) and answers that `made` writes. One grouped split: sources whose hash falls into the last tenths are
never trained on. OUT gets the checkpoint; `combine` fits, measures and exports what is shipped.
"""

import argparse
import gzip
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from transformers import BertModel

from benchmarks.detectors.made import Maker
from benchmarks.embedders.export_minilm import source_folder
from llmops.scoring.windows import Window, windows

MAX_TOKENS = 512
BATCH_TOKENS = 6000
HIDDEN = 0.05
"""Share of the words that the model does not see in training."""
MASK = 103
HELD = 3
"""Tenths of the sources that are never trained on: the combination is fitted and reported on them."""


@dataclass(frozen=True)
class Example:
    ids: list[int]
    answer_start: int
    labels: list[float]
    """One per token of the answer; -1: not known."""
    label: float
    weight: float


class TokenClassifier(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """MiniLM with one logit per token and one for the window."""

    def __init__(self, encoder: BertModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.token = nn.Linear(encoder.config.hidden_size, 1)
        self.window = nn.Linear(encoder.config.hidden_size, 1)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        return self.token(hidden).squeeze(-1), self.window(hidden[:, 0]).squeeze(-1)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    yield from (json.loads(line) for line in text.splitlines())


def tenth(group: str) -> int:
    return int(sha256(group.encode()).hexdigest(), 16) % 10


def tokenizer() -> Tokenizer:
    found = Tokenizer.from_file(str(source_folder() / "tokenizer.json"))
    found.no_truncation()
    found.no_padding()
    return found


def encoded(tokens: Tokenizer, window: Window) -> tuple[list[int], int, list[tuple[int, int]]]:
    """Ids of `[CLS] evidence [SEP] answer [SEP]`, where the answer begins, and its tokens' characters."""
    answer = tokens.encode(window.text, add_special_tokens=False)
    kept = answer.ids[: MAX_TOKENS - 3]
    evidence = tokens.encode(window.evidence, add_special_tokens=False).ids[: MAX_TOKENS - 3 - len(kept)]
    return [101, *evidence, 102, *kept, 102], len(evidence) + 2, answer.offsets[: len(kept)]


def example(tokens: Tokenizer, window: Window, spans: Sequence[tuple[int, int]], weight: float, label: float | None) -> Example:
    """`label` None: the spans tell all."""
    ids, start, offsets = encoded(tokens, window)
    if label == 1.0:
        return Example(ids, start, [-1.0] * len(offsets), 1.0, weight)
    bad = [float(any(s < window.start + e and window.start + b < t for s, t in spans)) for b, e in offsets]
    return Example(ids, start, bad, max(bad, default=0.0), weight)


def answer_of(row: dict[str, Any]) -> str:
    """The first human answer of a CLAP NQ row."""
    first = row["answers"][0]
    return str(first["answer"] if isinstance(first, dict) else first)


def examples(data: Path, tokens: Tokenizer, made_per_source: int) -> list[Example]:
    count = lambda text: len(tokens.encode(text, add_special_tokens=False).ids)  # noqa: E731
    found: list[Example] = []
    ragtruth = [r for r in rows(data / "ragtruth_qa" / "train.jsonl.gz") if tenth(r["source_id"]) < 10 - HELD]
    for row in ragtruth:
        spans = [(label["start"], label["end"]) for label in row["labels"]]
        found += [example(tokens, w, spans, 1.0, None) for w in windows(row["response"], [row["passages"]], count)]
    sources = {row["source_id"]: row["passages"] for row in ragtruth}
    clap = [row for row in rows(data / "clapnq_dev" / "dev.jsonl") if row["answerable"]]
    for row in clap:
        found += [example(tokens, w, [], 0.6, None) for w in windows(answer_of(row), [row["passage"]], count)]
    sources |= {f"clapnq {row['id']}": row["passage"] for row in clap}
    maker = Maker(0, list(sources.values()))
    for passages in sources.values():
        for _ in range(made_per_source):
            made = maker.answer(passages)
            if made is not None:
                found += [example(tokens, w, made.spans, 0.5, None) for w in windows(made.text, [passages], count)]
    supported = [(row["response"], row["passages"]) for row in ragtruth if not row["labels"]]
    supported += [(answer_of(row), row["passage"]) for row in clap]
    for answer, passages in supported:
        for made in (maker.edited(answer, passages), maker.edited(answer, passages), maker.sentence(answer)):
            if made is not None:
                found += [example(tokens, w, made.spans, 0.6, None) for w in windows(made.text, [passages], count)]
    for name in ("wow_dev", "wow_test", "cmudog_dev", "topicalchat_dev"):
        for row in rows(data / "begin" / f"{name}.jsonl"):
            if row["begin_label"] != "Generic" and isinstance(row["knowledge"], str):
                label = 0.0 if row["fully_attributable"] else 1.0
                found += [example(tokens, w, [], 0.25, label) for w in windows(row["response"], [row["knowledge"]], count)[:1]]
    return found


def batches(found: Sequence[Example], draw: random.Random) -> Iterator[list[Example]]:
    """Examples of similar length together; the order of the batches is drawn."""
    order = sorted(range(len(found)), key=lambda i: len(found[i].ids) + draw.random() * 40)
    groups: list[list[Example]] = [[]]
    for index in order:
        one = found[index]
        if groups[-1] and (len(groups[-1]) + 1) * len(one.ids) > BATCH_TOKENS:
            groups.append([])
        groups[-1].append(one)
    draw.shuffle(groups)
    yield from groups


def tensors(batch: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    longest = max(len(each.ids) for each in batch)
    ids, mask, types = (torch.zeros(len(batch), longest, dtype=torch.long) for _ in range(3))
    labels = torch.full((len(batch), longest), -1.0)
    for row, each in enumerate(batch):
        ids[row, : len(each.ids)] = torch.tensor(each.ids)
        mask[row, : len(each.ids)] = 1
        types[row, each.answer_start : len(each.ids)] = 1
        labels[row, each.answer_start : each.answer_start + len(each.labels)] = torch.tensor(each.labels)
    hidden = (torch.rand(ids.shape) < HIDDEN) & (ids > 999)
    return ids.masked_fill(hidden, MASK), mask, types, labels


def loss_of(model: TokenClassifier, batch: Sequence[Example]) -> Tensor:
    ids, mask, types, labels = tensors(batch)
    token, window = model(ids, mask, types)
    weight = torch.tensor([each.weight for each in batch])
    known = labels >= 0
    each = bce(token, labels.clamp(min=0), reduction="none", pos_weight=torch.tensor(2.0)) * known
    by_token = (each.sum(1) / known.sum(1).clamp(min=1) * weight).sum() / weight.sum()
    target = torch.tensor([each.label for each in batch])
    by_window = (bce(window, target, reduction="none") * weight).sum() / weight.sum()
    return by_token + 0.5 * by_window


def train(found: list[Example], out: Path, minutes: float, rate: float, start: Path | None) -> None:
    torch.manual_seed(0)
    draw = random.Random(0)
    # Dropout costs more than the matrix products on a CPU; hidden words take its place (see `tensors`).
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "attn_implementation": "sdpa"}
    model = TokenClassifier(BertModel.from_pretrained(source_folder(), add_pooling_layer=False, **still))
    if start is not None:
        model.load_state_dict(torch.load(start))
    # Half of all weights: each step would cost their update, and words that are not met here would drift apart from the rest.
    model.encoder.embeddings.word_embeddings.requires_grad_(False)
    heads = [*model.token.parameters(), *model.window.parameters()]
    inner = [each for each in model.encoder.parameters() if each.requires_grad]
    groups: list[dict[str, Any]] = [{"params": inner, "lr": rate}, {"params": heads, "lr": 10 * rate}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    bases = [group["lr"] for group in groups]
    began, steps, epoch, mean = time.monotonic(), 0, 0, 0.7
    model.train()
    while (spent := (time.monotonic() - began) / 60 / minutes) < 1:
        epoch += 1
        for batch in batches(found, draw):
            spent = (time.monotonic() - began) / 60 / minutes
            if spent >= 1:
                break
            share = min(1.0, steps / 100) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, spent)))
            for group, base in zip(optimiser.param_groups, bases, strict=True):
                group["lr"] = base * share
            loss = loss_of(model, batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            steps += 1
            mean += 0.02 * (float(loss) - mean)
            if steps % 50 == 0:
                print(f"epoch {epoch} step {steps} spent {spent:.1%} loss {mean:.4f}", flush=True)
            if steps % 500 == 0:
                torch.save(model.state_dict(), out / "checkpoint.pt")
    torch.save(model.state_dict(), out / "checkpoint.pt")
    print(f"{steps} steps, {epoch} epochs", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--made", type=int, default=4, help="made answers for each source")
    parser.add_argument("--start", type=Path, help="a checkpoint to go on from")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    found = examples(arguments.data, tokenizer(), arguments.made)
    size = sum(len(each.ids) for each in found)
    print(f"{len(found)} windows, {size:,} tokens, {sum(each.label for each in found):.0f} faulty", flush=True)
    train(found, arguments.out, arguments.minutes, arguments.rate, arguments.start)


if __name__ == "__main__":
    main()
