"""Fine-tunes MiniLM as the toxicity detector: python -m benchmarks.detectors.finetune_toxicity DATA OUT

Trained on Davidson et al. 2017 tweets (MIT; votes as soft labels), sentences of RAGTruth QA answers (MIT) and replies of
BEGIN (CC BY 4.0, CDLA-Sharing 1.0) as neutral prose, and sentences of our own (`toxicity_templates`, `toxicity_tweets`,
`toxicity_speech`, `toxicity_prose`). Surge AI toxicity (MIT) and the contrast set never train the encoder, so that one encoder
ships and is measured: they train the regressions that `combine_toxicity` puts on it. In float32: without AVX-512, bfloat16
was 27 times slower.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, count
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from transformers import BertModel

from benchmarks.detectors import toxicity_plain, toxicity_prose, toxicity_speech, toxicity_templates, toxicity_tweets
from benchmarks.detectors.contrast import fillings, sentences
from benchmarks.detectors.contrast_templates import SLOTS
from benchmarks.detectors.finetune import rows, tokenizer
from benchmarks.embedders.export_minilm import source_folder
from llmops.scoring.labels import CATEGORIES
from llmops.scoring.sentences import split_sentences
from llmops.scoring.toxic_words import places
from llmops.scoring.toxicity import FEATURES, features, readable

MAX_TOKENS = 128
BATCH_TOKENS = 2000
OFFENSIVE, PROSE, REPLIES, JOINED = 3000, 1500, 1500, 1500
"""Rows drawn of each: offensive tweets outnumber all else, and texts of several sentences are made of single ones."""
ALONE = ("own", "neutral")
"""Sources whose sentences are joined."""
MEASURED = ("surge", "contrast")
"""Sources that only the regressions are trained on."""
CALIBRATION = 10
"""One in so many groups of rows is kept for the calibration."""
MISSPELT = 0.12
"""Share of our own sentences in which a word is disguised or misspelt."""
UNKNOWN = -1.0
TWEET = 0.3
"""Weight of a tweet: their labels follow single words, and dialect with them."""


@dataclass(frozen=True)
class Text:
    """One labelled text."""

    text: str
    toxic: float
    """0 to 1: share of the people who called it toxic."""
    kinds: tuple[float, ...]
    """By category; -1: not known."""
    weight: float
    group: str
    source: str


def kinds_of(category: str, text: str) -> tuple[float, ...]:
    """Of the category that a template was written for, empty: of none; insults and swear words go with each other."""
    near = {"harassment": "profanity", "profanity": "harassment"}.get(category, "")
    swears = bool(category) and bool(places(readable(text))["swear"])
    unknown = {near, "profanity"} if swears else {near}
    return tuple(1.0 if each == category else UNKNOWN if each in unknown else 0.0 for each in CATEGORIES)


def davidson(data: Path, most: int) -> Iterator[Text]:
    found = list(rows(data / "davidson_hate_offensive" / "all.jsonl.gz"))
    offensive = [row for row in found if row["class"] == "offensive"]
    drawn = random.Random(0).sample(offensive, most)
    for row in [row for row in found if row["class"] != "offensive"] + drawn:
        hate, votes = row["votes_hate"] / row["n_annotators"], row["n_annotators"]
        toxic = (row["votes_hate"] + row["votes_offensive"]) / votes
        kinds = (hate, *[0.0 if toxic == 0 else UNKNOWN] * (len(CATEGORIES) - 1))
        yield Text(row["text"], toxic, kinds, TWEET, row["text"], "davidson")


def surge(data: Path) -> Iterator[Text]:
    for row in rows(data / "surge_toxicity" / "all.jsonl"):
        toxic = float(row["is_toxic"] == "Toxic")
        kinds = (UNKNOWN if toxic else 0.0,) * len(CATEGORIES)
        yield Text(row["text"], toxic, kinds, 1.0, row["text"], "surge")


def neutral(data: Path) -> Iterator[Text]:
    draw = random.Random(0)
    prose = [
        (sentence.text, row["source_id"])
        for row in rows(data / "ragtruth_qa" / "train.jsonl.gz")
        for sentence in split_sentences(row["response"])
    ]
    replies = [(row["response"], row["id"]) for file in sorted((data / "begin").glob("*.jsonl")) for row in rows(file)]
    for text, group in draw.sample(prose, PROSE) + draw.sample(replies, REPLIES):
        yield Text(text, 0.0, kinds_of("", ""), 0.5, group, "neutral")


def contrast() -> Iterator[Text]:
    for each in sentences():
        yield Text(each.text, float(each.toxic), kinds_of(each.category, each.text), 1.0, f"t{each.template}", "contrast")


def own() -> Iterator[Text]:
    for module in (toxicity_templates, toxicity_tweets, toxicity_speech, toxicity_prose, toxicity_plain):
        slots = SLOTS | getattr(module, "SLOTS", {})
        templates = [(text, "") for text in module.SOUND] + [(text, category) for category, text in module.HARMFUL]
        for number, (template, category) in enumerate(templates):
            draw, group = random.Random(number), f"{module.__name__} {number}"
            for text in fillings(template, draw, slots):
                seen = misspelt(text, draw) if draw.random() < MISSPELT else text
                yield Text(seen, float(bool(category)), kinds_of(category, text), 1.0, group, "own")


def misspelt(text: str, draw: random.Random) -> str:
    """`text` with a longer word written as people do who are in a hurry, or who hide it."""
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    if long:
        at = draw.choice(long)
        word, cut = words[at], draw.randrange(1, len(words[at]) - 1)
        swapped = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
        starred = f"{word[:cut]}*{word[cut + 1 :]}"
        spaced, stretched = " ".join(word), word[:cut] + word[cut] * 3 + word[cut:]
        words[at] = draw.choice((swapped, word[:cut] + word[cut + 1 :], starred, spaced, stretched, word.upper()))
        if at + 1 < len(words) and draw.random() < 0.2:
            words[at] += words.pop(at + 1)
    return " ".join(words)


def joined(found: Sequence[Text]) -> Iterator[Text]:
    """Texts of several sentences: toxic if one of them is."""
    draw = random.Random(1)
    single = [each for each in found if each.source in ALONE and len(each.text) < 200 and not calibrates(each)]
    for _ in range(JOINED):
        some = draw.sample(single, draw.choice((2, 2, 3)))
        if sum(each.toxic > 0.5 for each in some) > 1:
            continue
        worst = max(some, key=lambda each: each.toxic)
        yield Text(" ".join(each.text for each in some), worst.toxic, worst.kinds, 0.5, worst.group, "joined")


def number(group: str) -> int:
    return int(sha256(group.encode()).hexdigest(), 16)


def calibrates(text: Text) -> bool:
    """Whether a row is left out for the calibration."""
    return number(text.group) % CALIBRATION == 0


def everything(data: Path, offensive: int) -> list[Text]:
    """All rows that may train; `offensive`: how many tweets that are offensive and not hateful."""
    found = [*davidson(data, offensive), *surge(data), *neutral(data), *contrast(), *own()]
    return [*found, *joined(found)]


class Encoder(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """MiniLM's first layers, mean-pooled beside the listed words: log-odds of toxic and of each category."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "attn_implementation": "sdpa"}
        self.encoder = BertModel.from_pretrained(source_folder(), add_pooling_layer=False, num_hidden_layers=layers, **still)
        self.encoder.embeddings.requires_grad_(False)
        self.pooled = nn.Linear(self.encoder.config.hidden_size, 1 + len(CATEGORIES))
        self.words = nn.Linear(FEATURES, 1 + len(CATEGORIES), bias=False)
        nn.init.zeros_(self.words.weight)

    def forward(self, ids: Tensor, mask: Tensor, words: Tensor) -> Tensor:
        hidden = self.encoder(ids, attention_mask=mask).last_hidden_state
        mean = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
        return self.pooled(mean) + self.words(words)


class Encoded:
    """Texts as token ids and listed words."""

    def __init__(self, texts: Sequence[str]) -> None:
        tokens = tokenizer()
        tokens.enable_truncation(MAX_TOKENS)
        plain = [readable(text) for text in texts]
        self.ids = [each.ids for each in tokens.encode_batch(plain)]
        self.words = torch.tensor([features(text, read) for text, read in zip(texts, plain, strict=True)])

    def batches(self, draw: random.Random) -> Iterator[list[int]]:
        order = sorted(range(len(self.ids)), key=lambda i: len(self.ids[i]) + draw.random() * 10)
        groups: list[list[int]] = [[]]
        for index in order:
            if groups[-1] and (len(groups[-1]) + 1) * len(self.ids[index]) > BATCH_TOKENS:
                groups.append([])
            groups[-1].append(index)
        draw.shuffle(groups)
        yield from groups

    def tensors(self, batch: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        longest = max(len(self.ids[index]) for index in batch)
        ids, mask = torch.zeros(len(batch), longest, dtype=torch.long), torch.zeros(len(batch), longest, dtype=torch.long)
        for row, index in enumerate(batch):
            ids[row, : len(self.ids[index])] = torch.tensor(self.ids[index])
            mask[row, : len(self.ids[index])] = 1
        return ids, mask, self.words[list(batch)]


def loss_of(logits: Tensor, batch: Sequence[Text]) -> Tensor:
    weight = torch.tensor([each.weight for each in batch])
    toxic = bce(logits[:, 0], torch.tensor([each.toxic for each in batch]), reduction="none")
    kinds = torch.tensor([each.kinds for each in batch])
    known = (kinds != UNKNOWN).float()
    by_kind = (bce(logits[:, 1:], kinds.clamp(min=0), reduction="none") * known).mean(1)
    return ((toxic + by_kind) * weight).sum() / weight.sum()


def train(found: Sequence[Text], layers: int, minutes: float, rate: float) -> Encoder:
    """Passes over all texts until the time is up; the rate falls with the time."""
    torch.manual_seed(0)
    draw = random.Random(0)
    model = Encoder(layers)
    encoded = Encoded([each.text for each in found])
    body = [each for each in model.encoder.parameters() if each.requires_grad]
    head = [*model.pooled.parameters(), *model.words.parameters()]
    optimiser = torch.optim.AdamW([{"params": body}, {"params": head}], weight_decay=0.01)
    began, seen, mean = time.monotonic(), 0, 1.0
    model.train()
    for step, batch in enumerate(chain.from_iterable(encoded.batches(draw) for _ in count())):
        gone = (time.monotonic() - began) / (60 * minutes)
        if gone >= 1:
            break
        for group, times in zip(optimiser.param_groups, (1, 20), strict=True):
            group["lr"] = times * rate * min(1.0, step / 50) * (0.5 + 0.5 * math.cos(math.pi * gone))
        loss = loss_of(model(*encoded.tensors(batch)), [found[index] for index in batch])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        seen += len(batch)
        mean += 0.02 * (float(loss.detach()) - mean)
        if step % 20 == 0:
            print(f"{seen} of {len(found)} texts, loss {mean:.4f}, {60 * minutes * gone:.0f} s", flush=True)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=24)
    parser.add_argument("--rate", type=float, default=1e-4)
    arguments = parser.parse_args()
    data, out = arguments.data, arguments.out
    out.mkdir(parents=True, exist_ok=True)
    seen = [each for each in everything(data, OFFENSIVE) if each.source not in MEASURED and not calibrates(each)]
    print(f"{len(seen)} texts", flush=True)
    model = train(seen, arguments.layers, arguments.minutes, arguments.rate)
    torch.save(model.state_dict(), out / "checkpoint.pt")
    (out / "run.json").write_text(json.dumps({"layers": arguments.layers}), encoding="utf-8")


if __name__ == "__main__":
    main()
