"""Makes the embedded hallucination detector of checkpoints: python -m benchmarks.detectors.combine DATA OUT [--average A B]

OUT holds checkpoint.pt of `finetune`, or gets the mean of those in A, B, ... ("Model soups", Wortsman et al. 2022). Exports
it as int8 ONNX, fits the logistic regression that joins the encoder with the words of the sentences on the calibration
tenth of RAGTruth's sources, and prints accuracy on the reported tenths, on SummEdits (never trained on), and the parts
alone. --write puts the detector into the package.
"""

import argparse
import json
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from benchmarks.detectors.finetune import CALIBRATION, MAX_TOKENS, REPORTED, rows, tenth
from benchmarks.detectors.made import Maker
from benchmarks.detectors.train import Answers, at_half, auroc, fit, interval, sentence_weights
from benchmarks.embedders.export_minilm import (
    HIDDEN,
    LAYERS,
    OPSET,
    ORT,
    Graph,
    embeddings,
    layer,
    shared_constants,
    source_folder,
)
from llmops.adapters.embedded_detectors import HallucinationModel
from llmops.adapters.weights import packaged, read_weights
from llmops.domain.scores import DetectionRequest
from llmops.scoring.groundedness import FEATURES as WORDS
from llmops.scoring.grounding import FEATURES

Floats = NDArray[np.float64]
PENALTY = 2.0
MADE_WEIGHT = 0.3
"""Weight of a made answer, against 1 for one that people labelled; a smaller one misses small edits of supported text."""


def build(weights: dict[str, Any]) -> Any:  # noqa: ANN401 -- an onnx ModelProto
    """Token ids, mask and types, int64 (batch, sequence), to logits (batch, sequence, 2): of the token, of the window."""
    from onnx import TensorProto, checker, helper, numpy_helper

    encoder = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
    graph = Graph()
    shared_constants(graph)
    graph.node("Shape", ["input_ids"], "batch_shape")
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    hidden = embeddings(graph, encoder, MAX_TOKENS, typed=True)
    for index in range(LAYERS):
        hidden = layer(graph, hidden, encoder, index)
    heads = [weights["token.weight"], weights["window.weight"]]
    graph.constant("heads", np.concatenate(heads).T.reshape(HIDDEN, 2))
    graph.constant("heads.bias", np.concatenate([weights["token.bias"], weights["window.bias"]]))
    graph.node("Add", [graph.node("MatMul", [hidden, "heads"], "heads.product"), "heads.bias"], "logits")
    names = ("input_ids", "attention_mask", "token_type_ids")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"]) for name in names]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "sequence", 2])
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


def export(data: Path, out: Path) -> None:
    """The encoder, its tokenizer, the regression on words and a manifest, as the package holds them."""
    import torch

    state = {name: value.numpy() for name, value in torch.load(out / "checkpoint.pt").items()}
    (out / "model.onnx").write_bytes(build(state).SerializeToString(deterministic=True))
    (out / "tokenizer.json").write_bytes((source_folder() / "tokenizer.json").read_bytes())
    answers = Answers(data / "ragtruth_qa" / "train.jsonl.gz")
    seen = np.array([tenth(group) < 10 - REPORTED - CALIBRATION for group in answers.group])
    words = [round(float(each), 6) for each in sentence_weights(answers, seen)]
    save(out, {"features": list(WORDS), "sentence": words, "answer_features": list(FEATURES), "answer": [0.0] * len(FEATURES)})


def save(out: Path, model: dict[str, Any]) -> None:
    (out / "model.json").write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
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


def made_answers(found: Sequence[dict[str, Any]]) -> list[tuple[DetectionRequest, float]]:
    """Copies, copies with a fault, and supported answers with a small edit; 1 for a fault."""
    passages = {row["source_id"]: row["passages"] for row in found}
    maker = Maker(1, list(passages.values()))
    made = [(maker.answer(text), text) for text in passages.values() for _ in range(4)]
    made += [(maker.edited(row["response"]), row["passages"]) for row in found if not row["labels"]]
    return [(DetectionRequest(one.text, (text,)), float(bool(one.spans))) for one, text in made if one is not None]


def described(table: Table, name: str, y: Floats, score: Floats) -> None:
    f1, balanced = at_half(y, score)
    low, high = interval(y, score, auroc)
    bins = np.clip((score * 10).astype(int), 0, 9)
    error = sum(abs(score[bins == b].mean() - y[bins == b].mean()) * (bins == b).mean() for b in range(10) if (bins == b).any())
    always = 2 * y.mean() / (1 + y.mean())
    figures = (f"{auroc(y, score):.3f} [{low:.3f}, {high:.3f}]", f"{f1:.3f} (always yes {always:.3f})", f"{balanced:.3f}")
    table.add_row(name, str(len(y)), *figures, f"{error:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--average", type=Path, nargs="+", help="folders whose checkpoints are averaged into OUT")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    out: Path = arguments.out
    if arguments.average:
        average(arguments.average, out)
    export(arguments.data, out)
    model = HallucinationModel(read_weights(out))
    held = [
        r
        for r in rows(arguments.data / "ragtruth_qa" / "train.jsonl.gz")
        if tenth(r["source_id"]) >= 10 - REPORTED - CALIBRATION
    ]
    y = np.array([float(bool(row["labels"])) for row in held])
    reported = np.array([tenth(row["source_id"]) >= 10 - REPORTED for row in held])
    began = time.perf_counter()
    x = features(model, [DetectionRequest(row["response"], (row["passages"],)) for row in held])
    rate = len(held) / (time.perf_counter() - began)
    calibration = [row for row, is_reported in zip(held, reported, strict=True) if not is_reported]
    made = made_answers(calibration)
    extra = features(model, [request for request, _ in made])
    both = np.vstack([x[~reported], extra])
    truth = np.concatenate([y[~reported], [faulty for _, faulty in made]])
    weights = fit(both, truth, np.concatenate([np.ones(len(calibration)), np.full(len(made), MADE_WEIGHT)]), PENALTY)
    edits = list(rows(arguments.data / "summedits" / "evaluation.jsonl.gz"))
    s = features(model, [DetectionRequest(row["summary"], (row["doc"],)) for row in edits])
    t = np.array([float(str(row["consistent"]) != "True") for row in edits])
    table = Table("measured on", "rows", "AUROC [95 %]", "F1 at 0.5", "balanced accuracy", "calibration error")
    described(table, "RAGTruth QA, held-out sources, one grouped split", y[reported], expit(x[reported] @ weights))
    for number, name in enumerate(FEATURES):
        if number not in (0, 3):
            described(table, f"  {name} alone", y[reported], expit(x[reported][:, number]))
    unseen = made_answers([row for row, is_reported in zip(held, reported, strict=True) if is_reported])
    faulty = np.array([each for _, each in unseen])
    described(table, "made answers on the reported sources", faulty, expit(features(model, [r for r, _ in unseen]) @ weights))
    described(table, "SummEdits, never trained on", t, expit(s @ weights))
    Console(width=150).print(table, f"{rate:.0f} answers/s")
    shipped = json.loads((out / "model.json").read_text(encoding="utf-8"))
    save(out, {**shipped, "answer": [round(float(each), 6) for each in weights]})
    if arguments.write:
        for file in ("model.onnx", "tokenizer.json", "model.json", "manifest.json"):
            (packaged("detectors") / "hallucination" / file).write_bytes((out / file).read_bytes())


if __name__ == "__main__":
    main()
