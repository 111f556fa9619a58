"""Distil the static embedder from all-MiniLM-L6-v2: python -m benchmarks.embedders.distill_static

model2vec embeds every token of the vocabulary alone, reduces to 256 dimensions by PCA and weights tokens by their
rank (SIF). The rows are then stored as int8 with one float32 step per row: model2vec's own int8 has one step for the
whole table, which leaves frequent tokens, whose weight is low, with few levels. Needs `pip install "model2vec[distill]"`.
"""

import os
from pathlib import Path

import numpy as np

from benchmarks.embedders.export_minilm import source_folder, write_manifest

TARGET = Path(__file__).resolve().parents[2] / "llmops" / "data" / "static"
DIMENSIONS = 256
NO_LIMIT = 8192
"""Tokens; the largest chunk that llmops cuts. The model itself has no window."""


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        from model2vec.distill import distill
    except ImportError as error:
        raise SystemExit('Distilling needs one more package: pip install "model2vec[distill]"') from error
    from safetensors.numpy import save

    model = distill(str(source_folder()), pca_dims=DIMENSIONS, quantize_to="float32", device="cpu")
    rows = model.embedding.astype(np.float32)
    steps = np.maximum(np.abs(rows).max(1), 1e-12) / 127
    codes = np.round(rows / steps[:, None]).astype(np.int8)

    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "model.safetensors").write_bytes(save({"codes": codes, "steps": steps.astype(np.float32)}))
    tokenizer = model.tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(TARGET / "tokenizer.json"), pretty=False)
    write_manifest(TARGET, "all-MiniLM-L6-v2-static", NO_LIMIT, DIMENSIONS, ["model.safetensors", "tokenizer.json"])
    for file in sorted(TARGET.iterdir()):
        print(f"{file.stat().st_size:>12,}  {file.name}")


if __name__ == "__main__":
    main()
