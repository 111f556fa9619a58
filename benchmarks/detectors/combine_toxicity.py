"""Makes the toxicity detector of an encoder and measures it: python -m benchmarks.detectors.combine_toxicity DATA OUT

OUT holds the checkpoint of `finetune_toxicity`. Its weights are averaged with those that it began with, which forgets less
("Robust fine-tuning of zero-shot models", Wortsman et al. 2022), and logistic regressions on the pooled tokens and the listed
words are put on it. The encoder never saw Surge nor the contrast set. Surge is measured with regressions that never saw it
either, the contrast set in five folds over its templates. What ships has regressions that are fitted on everything: --write
puts it into the package, as int8 ONNX, and `run` measures it on sets that train nothing. All are calibrated (Platt) on rows
that neither the encoder nor the regressions saw, every source counting the same.
"""

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import expit

from benchmarks.detectors import toxicity_plain
from benchmarks.detectors.contrast import sentences
from benchmarks.detectors.finetune_toxicity import (
    MAX_TOKENS,
    UNKNOWN,
    Encoded,
    Encoder,
    Text,
    calibrates,
    everything,
)
from benchmarks.detectors.run import average_precision, balanced_accuracy, calibration_error, macro_f1, with_interval
from benchmarks.detectors.train import auroc, fit
from benchmarks.embedders.export_minilm import HIDDEN, OPSET, ORT, Graph, embeddings, layer, shared_constants
from llmops.adapters.toxicity_model import ToxicityModel
from llmops.adapters.weights import packaged, read_weights
from llmops.domain.scores import DetectionRequest
from llmops.scoring.labels import CATEGORIES
from llmops.scoring.toxicity import FEATURES

FILES = ("model.onnx", "model.json")
TUNED = 0.6
"""Share of the fine-tuned weights; the rest is what they were before."""
POOLED = 0.5
"""Scale of the pooled tokens: the smaller, the more the penalty holds them back beside the listed words."""
PENALTY = 10.0
OFFENSIVE = 3000
"""Tweets that are offensive and not hateful, drawn for the regressions."""
WEIGHTS = {"davidson": 0.1, "surge": 0.5, "neutral": 0.3, "contrast": 1.0, "own": 1.0, "joined": 0.5}
"""Of a row, by source: tweets are many, and their labels follow single words."""
FOLDS = 5
SHARES = (0.0, 0.25, 0.5, 1.0)
"""Of our own templates, in the learning curve."""
HIDDEN_TEXTS = "Surge, each after a neutral sentence"
CONTRAST = f"contrast, {FOLDS} folds of templates"
Floats = NDArray[np.float64]


def build(weights: dict[str, Any], layers: int) -> Any:  # noqa: ANN401 -- an onnx ModelProto
    """Token ids and mask, int64 (batch, sequence), and listed words, to the log-odds of toxic and of each category."""
    from onnx import TensorProto, checker, helper, numpy_helper

    encoder = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
    graph = Graph()
    shared_constants(graph)
    graph.node("Shape", ["input_ids"], "batch_shape")
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    hidden = embeddings(graph, encoder, MAX_TOKENS)
    for index in range(layers):
        hidden = layer(graph, hidden, encoder, index)
    graph.node("Cast", ["attention_mask"], "float_mask", to=TensorProto.FLOAT)
    # Each text has products of its own: a sum over several at once takes other paths, whose last digits would differ.
    graph.node("MatMul", [graph.node("Unsqueeze", ["float_mask", "axis1"], "row_mask"), hidden], "sum")
    graph.node("ReduceSum", ["row_mask", "last_axis"], "tokens", keepdims=1)
    graph.node("Div", ["sum", "tokens"], "mean")
    graph.node("Unsqueeze", ["listed", "axis1"], "listed.row")
    graph.node("Concat", ["mean", "listed.row"], "known", axis=-1)
    graph.constant("head", np.concatenate([weights["pooled.weight"], weights["words.weight"]], axis=1).T[None])
    graph.constant("head.bias", weights["pooled.bias"])
    graph.constant("one_text", np.array([1, 1], np.int64))
    texts = graph.node("Shape", ["input_ids"], "texts", end=1)
    heads = graph.node("Expand", ["head", graph.node("Concat", [texts, "one_text"], "heads.shape", axis=0)], "heads")
    product = graph.node("MatMul", ["known", heads], "product")
    graph.node("Add", [graph.node("Squeeze", [product, "axis1"], "product.row"), "head.bias"], "logits")
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    inputs.append(helper.make_tensor_value_info("listed", TensorProto.FLOAT, ["batch", FEATURES]))
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1 + len(CATEGORIES)])
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ORT, 1)]
    body = helper.make_graph(graph.nodes, "toxicity-minilm-int8", inputs, [logits], constants)
    model = helper.make_model(body, opset_imports=opsets, ir_version=10, producer_name="llmops")
    checker.check_model(model)
    return model


def save(out: Path, scale: float, bias: float) -> None:
    """The calibration, and a manifest of all files."""
    calibration = {"scale": round(scale, 6), "bias": round(bias, 6)}
    (out / "model.json").write_text(json.dumps(calibration) + "\n", encoding="utf-8")
    digests = {file: sha256((out / file).read_bytes()).hexdigest() for file in FILES}
    manifest = {"name": "toxicity-minilm", "dimensions": 1 + len(CATEGORIES), "max_tokens": MAX_TOKENS, "sha256": digests}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def chances(out: Path, texts: Sequence[Text]) -> Floats:
    """Of each text, as the package would give it."""
    found = ToxicityModel(read_weights(out)).many([DetectionRequest(each.text) for each in texts])
    return np.array([each.value for each in found])


def calibrated(out: Path, texts: Sequence[Text]) -> None:
    """Fit scale and bias on rows that trained nothing; soft labels, and every source counts the same."""
    save(out, 1.0, 0.0)
    chance = np.clip(chances(out, texts), 1e-9, 1 - 1e-9)
    save(out, *platt(np.log(chance / (1 - chance)), texts))


def platt(z: Floats, texts: Sequence[Text]) -> tuple[float, float]:
    """Scale and bias of log-odds."""
    sources = [each.source for each in texts]
    weight = np.array([len(texts) / sources.count(source) for source in sources])
    bias, scale = fit(np.stack([np.ones(len(z)), z], 1), np.array([each.toxic for each in texts]), weight, 1.0)
    return float(scale), float(bias)


def report(console: Console, found: Mapping[str, tuple[Sequence[Text], Floats]]) -> None:
    """A line for each set, then the calibration curve of each, then the contrast set by what it tests."""
    table = Table("texts", "rows", "AUROC [95 %]", "AP", "balanced", "macro-F1", "accuracy", "always one", "ECE", "TP FP TN FN")
    curve = Table("share that is toxic where the probability is", *(f"{n / 10:.1f}-" for n in range(10)))
    for name, (texts, chance) in found.items():
        y = np.array([float(each.toxic >= 0.5) for each in texts])
        said = chance >= 0.5
        right = f"{(said == y).mean():.3f}"
        counts = " ".join(str(int(((said == one) & (y == other)).sum())) for one, other in ((1, 1), (1, 0), (0, 0), (0, 1)))
        if y.min() == y.max():
            table.add_row(name, str(len(y)), *[""] * 4, right, "", "", counts)
            continue
        group = np.unique([each.group for each in texts], return_inverse=True)[1]
        figures = [f"{measure(y, chance):.3f}" for measure in (average_precision, balanced_accuracy, macro_f1)]
        ends = [right, f"{max(y.mean(), 1 - y.mean()):.3f}", f"{calibration_error(y, chance):.3f}", counts]
        table.add_row(name, str(len(y)), with_interval(y, chance, group, auroc), *figures, *ends)
        bins = np.minimum((chance * 10).astype(int), 9)
        curve.add_row(name, *(f"{y[bins == n].mean():.2f}" if (bins == n).any() else "" for n in range(10)))
    console.print(table, curve)
    if CONTRAST in found:
        console.print(by_kind(*found[CONTRAST]))


def by_kind(texts: Sequence[Text], chance: Floats) -> Table:
    """Accuracy on the contrast set by what a sentence tests."""
    kinds = {each.text: each.kind for each in sentences()}
    right = [(kinds[each.text], (value >= 0.5) == (each.toxic >= 0.5)) for each, value in zip(texts, chance, strict=True)]
    table = Table("contrast", "rows", "accuracy")
    for kind in dict.fromkeys(kinds.values()):
        some = [is_right for each, is_right in right if each == kind]
        if some:
            table.add_row(kind, str(len(some)), f"{np.mean(some):.2f}")
    return table


def averaged(out: Path, layers: int) -> Encoder:
    """The encoder between what it was and what it became."""
    model = Encoder(layers)
    before, after = model.state_dict(), torch.load(out / "checkpoint.pt")
    mixed = {
        name: TUNED * after[name] + (1 - TUNED) * value if value.is_floating_point() else value
        for name, value in before.items()
    }
    model.load_state_dict(mixed)
    model.eval()
    return model


def inputs(model: Encoder, texts: Sequence[str]) -> Floats:
    """What the regressions see: bias, pooled tokens, listed words."""
    encoded = Encoded(texts)
    pooled = np.zeros((len(texts), HIDDEN))
    with torch.no_grad():
        for batch in encoded.batches(random.Random(0)):
            ids, mask, _ = encoded.tensors(batch)
            hidden = model.encoder(ids, attention_mask=mask).last_hidden_state
            pooled[batch] = ((hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)).float().numpy()
    return np.concatenate([np.ones((len(texts), 1)), POOLED * pooled, encoded.words.numpy()], 1)


def head(x: Floats, texts: Sequence[Text]) -> dict[str, Floats]:
    """The weights of the regressions: of toxic, and of each category where it is known."""
    weight = np.array([WEIGHTS[each.source] for each in texts])
    kinds = np.array([each.kinds for each in texts])
    found = [fit(x, np.array([each.toxic for each in texts]), weight, PENALTY)]
    found += [fit(x[known], kinds[known, n], weight[known], PENALTY) for n, known in enumerate((kinds != UNKNOWN).T)]
    rows = np.stack(found)
    return {"pooled.bias": rows[:, 0], "pooled.weight": POOLED * rows[:, 1 : 1 + HIDDEN], "words.weight": rows[:, 1 + HIDDEN :]}


def make(out: Path, model: Encoder, x: Floats, texts: Sequence[Text]) -> None:
    """Fit, export and calibrate one detector; `x`: `inputs` of the texts."""
    kept = np.array([calibrates(each) for each in texts])
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    state |= {name: value.astype(np.float32) for name, value in head(x[~kept], chosen(texts, ~kept)).items()}
    (out / "model.onnx").write_bytes(build(state, len(model.encoder.encoder.layer)).SerializeToString(deterministic=True))
    calibrated(out, chosen(texts, kept))


def chosen(texts: Sequence[Text], some: NDArray[np.bool_]) -> list[Text]:
    return [each for each, is_chosen in zip(texts, some, strict=True) if is_chosen]


def held_out(x: Floats, texts: Sequence[Text], left_out: NDArray[np.bool_], used: NDArray[np.bool_]) -> Floats:
    """The probabilities of rows that were left out of regression and calibration; `used`: rows that may train."""
    kept = np.array([calibrates(each) for each in texts])
    seen, calibrating = chosen(texts, used & ~left_out & ~kept), chosen(texts, used & ~left_out & kept)
    toxic, weight = np.array([each.toxic for each in seen]), np.array([WEIGHTS[each.source] for each in seen])
    z = x @ fit(x[used & ~left_out & ~kept], toxic, weight, PENALTY)
    scale, bias = platt(z[used & ~left_out & kept], calibrating)
    return np.asarray(expit(scale * z[left_out] + bias))


def is_blind(text: Text) -> bool:
    """Whether a text was written without the errors on the contrast set in view."""
    return not text.group.startswith(toxicity_plain.__name__)


def in_folds(x: Floats, texts: Sequence[Text], used: NDArray[np.bool_]) -> tuple[list[NDArray[np.bool_]], Floats]:
    """The folds of the contrast set over its templates, and the probability of each row by a fold that left it out."""
    fold = np.array([int(each.group[1:]) % FOLDS if each.source == "contrast" else -1 for each in texts])
    chance = np.zeros(len(texts))
    for n in range(FOLDS):
        chance[fold == n] = held_out(x, texts, fold == n, used)
    return [fold == n for n in range(FOLDS)], chance


def by_fold(x: Floats, texts: Sequence[Text]) -> tuple[Table, Floats]:
    """Accuracy on each fold of the contrast set; the probabilities with it."""
    folds, chance = in_folds(x, texts, np.array([is_blind(each) for each in texts]))
    y = np.array([each.toxic >= 0.5 for each in texts])
    table = Table("contrast, fold", "templates", "rows", "accuracy", "larger class", "AUROC")
    for n, some in [*enumerate(folds, 1), ("all", np.logical_or.reduce(folds))]:
        right, larger = ((chance[some] >= 0.5) == y[some]).mean(), max(y[some].mean(), 1 - y[some].mean())
        templates = len({each.group for each in chosen(texts, some)})
        figures = (f"{right:.3f}", f"{larger:.3f}", f"{auroc(y[some].astype(float), chance[some]):.3f}")
        table.add_row(str(n), str(templates), str(int(some.sum())), *figures)
    return table, chance


def learning_curve(x: Floats, texts: Sequence[Text]) -> Table:
    """How the contrast set and Surge gain from more of our own sentences under the regressions."""
    table = Table("own templates", "rows that train", "contrast accuracy", "contrast AUROC", "Surge AUROC")
    y = np.array([float(each.toxic >= 0.5) for each in texts])
    is_surge = np.array([each.source == "surge" for each in texts])
    for share in SHARES:
        groups = sorted({each.group for each in texts if each.source == "own" and is_blind(each)})
        some = set(random.Random(0).sample(groups, int(share * len(groups))))
        used = np.array([is_blind(each) and (each.source not in ("own", "joined") or each.group in some) for each in texts])
        folds, chance = in_folds(x, texts, used)
        contrast = np.logical_or.reduce(folds)
        right, ranked = ((chance >= 0.5) == (y == 1))[contrast].mean(), auroc(y[contrast], chance[contrast])
        surge = auroc(y[is_surge], held_out(x, texts, is_surge, used))
        table.add_row(str(len(some)), str(int(used.sum())), f"{right:.3f}", f"{ranked:.3f}", f"{surge:.3f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--write", action="store_true", help="put it into the package")
    parser.add_argument("--curve", action="store_true", help="only print what more of our own templates bring")
    arguments = parser.parse_args()
    data, out = arguments.data, arguments.out
    texts = everything(data, OFFENSIVE)
    model = averaged(out, json.loads((out / "run.json").read_text(encoding="utf-8"))["layers"])
    x = inputs(model, [each.text for each in texts])
    console = Console(width=150)
    if arguments.curve:
        console.print(learning_curve(x, texts))
        return
    table, chance = by_fold(x, texts)
    console.print(table)
    contrast, surge = (np.array([each.source == source for each in texts]) for source in ("contrast", "surge"))
    make(out, model, x[~surge], chosen(texts, ~surge))
    never_seen = chosen(texts, surge)
    neutral = [each for each in texts if each.source == "neutral" and calibrates(each)]
    hidden = [replace(each, text=f"{calm.text} {each.text}") for each, calm in zip(never_seen, cycle(neutral), strict=False)]
    found = {name: (some, chances(out, some)) for name, some in (("Surge", never_seen), (HIDDEN_TEXTS, hidden))}
    report(console, {**found, CONTRAST: (chosen(texts, contrast), chance[contrast])})
    make(out, model, x, texts)
    console.print("As shipped, its regressions fitted on everything; `run` measures it on OLID and ToxicChat:")
    report(console, {"neutral sentences": (neutral, chances(out, neutral))})
    if arguments.write:
        for file in (*FILES, "manifest.json"):
            (packaged("detectors") / "toxicity" / file).write_bytes((out / file).read_bytes())


if __name__ == "__main__":
    main()
