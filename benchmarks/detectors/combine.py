"""Makes the embedded hallucination detector: python -m benchmarks.detectors.combine DATA OUT [--average A B]

OUT holds checkpoint.pt of `finetune`, or gets the mean of those in A, B, ... ("Model soups", Wortsman et al. 2022); without
either the encoder of the package is kept. Exports it as int8 ONNX, grows the trees on the words of sentences on the sources
that the encoder was trained on, and fits the logistic regression that joins both on the other three tenths. Prints accuracy
on these, by cross-validation grouped by source, and on SummEdits (never trained on). What the encoder reads is kept in OUT.
--write puts the detector into the package, its trees grown on all sources.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from benchmarks.detectors.finetune import HELD, MAX_TOKENS, rows, tenth
from benchmarks.detectors.made import Maker
from benchmarks.detectors.train import Answers, at_half, auroc, fit, interval, listed, sentence_model
from benchmarks.embedders.export_minilm import (
    HIDDEN,
    LAYERS,
    OPSET,
    ORT,
    Graph,
    embeddings,
    last_layer,
    layer,
    shared_constants,
    source_folder,
)
from llmops.adapters.hallucination_model import HallucinationModel
from llmops.adapters.onnx_token_classifier import OnnxTokenClassifier, Reading
from llmops.adapters.weights import Weights, packaged, read_weights
from llmops.domain.scores import DetectionRequest
from llmops.scoring.claimed import claimed
from llmops.scoring.groundedness import FEATURES as WORDS
from llmops.scoring.grounding import FEATURES, TOKENS
from llmops.scoring.windows import Window

Floats = NDArray[np.float64]
FOLDS = 5
PENALTY = 5.0
WEIGHTS = {"labelled": 1.0, "made": 1.0, "short": 0.5}
"""Of an answer that people labelled; of a made one, where less misses small edits of supported text; of a made short clause."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer, and whether something in it is unsupported."""

    request: DetectionRequest
    faulty: float
    group: str
    """Its source."""
    kind: str = "labelled"
    """As in `WEIGHTS`."""
    question: str = ""

    def as_asked(self) -> DetectionRequest:
        return replace(self.request, output=claimed(self.request.output, self.question))


def build(weights: dict[str, Any]) -> Any:  # noqa: ANN401 -- an onnx ModelProto
    """Token ids, mask and types, int64 (batch, sequence), to logits (batch, kept, 2): of the token, of the window.

    `kept`, int64 (batch, kept), says of which tokens: the first of each window, and those of the answer.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    encoder = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
    graph = Graph()
    shared_constants(graph)
    graph.node("Shape", ["input_ids"], "batch_shape")
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    hidden = embeddings(graph, encoder, MAX_TOKENS, typed=True)
    for index in range(LAYERS - 1):
        hidden = layer(graph, hidden, encoder, index)
    hidden = last_layer(graph, hidden, encoder, LAYERS - 1, "kept")
    heads = [weights["token.weight"], weights["window.weight"]]
    graph.constant("heads", np.concatenate(heads).T.reshape(HIDDEN, 2))
    graph.constant("heads.bias", np.concatenate([weights["token.bias"], weights["window.bias"]]))
    graph.node("Add", [graph.node("MatMul", [hidden, "heads"], "heads.product"), "heads.bias"], "logits")
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    inputs.append(helper.make_tensor_value_info("kept", TensorProto.INT64, ["batch", "kept"]))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "kept", 2])
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ORT, 1)]
    body = helper.make_graph(graph.nodes, "grounding-minilm-int8", inputs, [logits], constants)
    model = helper.make_model(body, opset_imports=opsets, ir_version=10, producer_name="llmops")
    checker.check_model(model)
    return model


def average(folders: Sequence[Path], out: Path) -> None:
    """The mean of the weights of several passes, which forgets less than the last of them."""
    import torch

    states = [torch.load(folder / "checkpoint.pt") for folder in folders]
    out.mkdir(parents=True, exist_ok=True)
    whole = {name for name, value in states[0].items() if not value.is_floating_point()}
    mean = {
        name: states[0][name] if name in whole else sum(state[name] for state in states) / len(states) for name in states[0]
    }
    torch.save(mean, out / "checkpoint.pt")


class Kept(OnnxTokenClassifier):
    """An encoder whose readings are kept in a file: the slow half of every fit."""

    def __init__(self, weights: Weights, folder: Path) -> None:
        super().__init__(weights)
        self._file = folder / f"readings-{sha256((weights.folder / 'model.onnx').read_bytes()).hexdigest()[:8]}.jsonl"
        self._known: dict[str, Reading] = {}
        if self._file.is_file():
            for key, window, logits, offsets in map(json.loads, self._file.read_text(encoding="utf-8").splitlines()):
                self._known[key] = Reading(window, tuple(logits), tuple((start, end) for start, end in offsets))

    def read(self, windows: Sequence[Window]) -> list[Reading]:
        keys = [sha256(f"{window.text}\0{window.evidence}".encode()).hexdigest()[:24] for window in windows]
        new = {key: window for key, window in zip(keys, windows, strict=True) if key not in self._known}
        with self._file.open("a", encoding="utf-8") as file:
            for key, reading in zip(new, super().read(list(new.values())), strict=True):
                self._known[key] = reading
                file.write(json.dumps([key, reading.window_logit, reading.token_logits, reading.offsets]) + "\n")
        return [self._known[key] for key in keys]


def export(out: Path) -> None:
    """The encoder and its tokenizer, as the package holds them."""
    checkpoint = out / "checkpoint.pt"
    if not checkpoint.is_file():
        for file in ("model.onnx", "tokenizer.json"):
            (out / file).write_bytes((packaged("detectors") / "hallucination" / file).read_bytes())
        return
    import torch

    state = {name: value.numpy() for name, value in torch.load(checkpoint).items()}
    (out / "model.onnx").write_bytes(build(state).SerializeToString(deterministic=True))
    (out / "tokenizer.json").write_bytes((source_folder() / "tokenizer.json").read_bytes())


def save(out: Path, words: dict[str, Any], answer: Floats) -> None:
    """The trees, the regression and a manifest."""
    weights = [round(float(each), 6) for each in answer]
    model = {"features": list(WORDS), "answer_features": list(FEATURES), "answer": weights, "words": words}
    (out / "model.json").write_text(json.dumps(model, separators=(",", ":")) + "\n", encoding="utf-8")
    files = ("model.onnx", "tokenizer.json", "model.json")
    digests = {file: sha256((out / file).read_bytes()).hexdigest() for file in files}
    manifest = {"name": "hallucination-grounding", "dimensions": 1, "max_tokens": MAX_TOKENS, "sha256": digests}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def features(model: HallucinationModel, requests: Sequence[DetectionRequest]) -> Floats:
    """Of each request; an answer that claims nothing has zeros."""
    found: list[tuple[float, ...]] = []
    for start in range(0, len(requests), 64):
        found += [read.features or (0.0,) * len(FEATURES) for read in model.read(requests[start : start + 64])]
    return np.array(found)


def made_answers(found: Sequence[dict[str, Any]]) -> list[Labelled]:
    """Copies, copies with a fault, and sentences and short clauses of supported answers with and without a small edit."""
    passages = {row["source_id"]: row["passages"] for row in found}
    maker = Maker(1, list(passages.values()))
    made = [(maker.answer(text), group, "made") for group, text in passages.items()]
    supported = [row for row in found if not row["labels"]]
    for row in supported[::2]:
        made += [(maker.edited(row["response"], row["passages"]), row["source_id"], "made")]
        made += [(maker.sentence(row["response"]), row["source_id"], "made")]
    for row in supported:
        made += [(one, row["source_id"], "short") for one in maker.statements(row["response"], row["passages"])]
    return [
        Labelled(DetectionRequest(one.text, (passages[group],)), float(bool(one.spans)), group, kind)
        for one, group, kind in made
        if one is not None
    ]


def cross_fitted(x: Floats, y: Floats, share: Floats, fold: NDArray[np.int64], asked: Floats | None = None) -> Floats:
    """Each row, as it is or as `asked` has it, judged by a regression that saw no row of its fold."""
    found, judged = np.zeros(len(y)), x if asked is None else asked
    for k in range(FOLDS):
        found[fold == k] = expit(judged[fold == k] @ fit(x[fold != k], y[fold != k], share[fold != k], PENALTY))
    return found


def described(table: Table, name: str, y: Floats, score: Floats) -> None:
    f1, balanced = at_half(y, score)
    low, high = interval(y, score, auroc)
    bins = np.clip((score * 10).astype(int), 0, 9)
    error = sum(abs(score[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in range(10) if (bins == b).any())
    always = 2 * y.mean() / (1 + y.mean())
    figures = (f"{auroc(y, score):.3f} [{low:.3f}, {high:.3f}]", f"{f1:.3f} (always yes {always:.3f})", f"{balanced:.3f}")
    table.add_row(name, str(len(y)), *figures, f"{error:.3f}")


def measured(model: HallucinationModel, held: Sequence[Labelled], edits: Sequence[Labelled]) -> tuple[Table, Floats]:
    """The table, and the regression fitted on all of `held`."""
    x, s = (features(model, [each.request for each in some]) for some in (held, edits))
    y, t = (np.array([each.faulty for each in some]) for some in (held, edits))
    kinds = np.array([each.kind for each in held])
    fold = np.array([int(sha256(f"fold {each.group}".encode()).hexdigest(), 16) % FOLDS for each in held])
    share = np.array([WEIGHTS[kind] for kind in kinds])
    labelled = kinds == "labelled"
    table = Table("measured on", "rows", "AUROC [95 %]", "F1 at 0.5", "balanced accuracy", "calibration error")
    score = cross_fitted(x, y, share, fold)
    described(table, f"RAGTruth QA, sources that the encoder never saw, grouped {FOLDS}-fold", y[labelled], score[labelled])
    requests = [each.as_asked() for each in held]
    asked = cross_fitted(x, y, share, fold, features(model, requests))
    claims = labelled & np.array([bool(request.output.strip()) for request in requests])
    described(table, "  those that claim something", y[claims], score[claims])
    described(table, "  without what claims nothing, as the evaluator asks", y[claims], asked[claims])
    of_tokens = [number for number, name in enumerate(FEATURES) if name.removesuffix(", by sentences") in TOKENS]
    of_words = [number for number in range(len(FEATURES)) if number not in of_tokens]
    for name, columns in (("the words alone", of_words), ("the encoder alone", [0, *of_tokens])):
        described(table, f"  {name}", y[labelled], cross_fitted(x[:, columns], y, share, fold)[labelled])
    for kind, name in (("made", "made answers on these sources"), ("short", "short clauses, half of them edited")):
        described(table, name, y[kinds == kind], score[kinds == kind])
    weights = fit(x, y, share, PENALTY)
    described(table, "SummEdits, never trained on", t, expit(s @ weights))
    return table, weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--average", type=Path, nargs="+", help="folders whose checkpoints are averaged into OUT")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.average:
        average(arguments.average, out)
    export(out)
    path = arguments.data / "ragtruth_qa" / "train.jsonl.gz"
    answers = Answers(path)
    seen = np.array([tenth(group) < 10 - HELD for group in answers.group])
    save(out, listed(sentence_model(answers, seen)), np.zeros(len(FEATURES)))
    weights = read_weights(out)
    model = HallucinationModel(weights, Kept(weights, out))
    real = [row for row in rows(path) if tenth(row["source_id"]) >= 10 - HELD]
    held = [
        Labelled(
            DetectionRequest(r["response"], (r["passages"],)), float(bool(r["labels"])), r["source_id"], question=r["question"]
        )
        for r in real
    ]
    edits = [
        Labelled(DetectionRequest(row["summary"], (row["doc"],)), float(str(row["consistent"]) != "True"), row["doc"])
        for row in rows(arguments.data / "summedits" / "evaluation.jsonl.gz")
    ]
    table, regression = measured(model, [*held, *made_answers(real)], edits)
    Console(width=150).print(table)
    save(out, listed(sentence_model(answers, np.ones(len(answers.y), bool))), regression)
    if arguments.write:
        for file in ("model.onnx", "tokenizer.json", "model.json", "manifest.json"):
            (packaged("detectors") / "hallucination" / file).write_bytes((out / file).read_bytes())


if __name__ == "__main__":
    main()
