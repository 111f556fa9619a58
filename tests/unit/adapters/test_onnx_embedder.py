import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from llmops.adapters.hf_tokenizer import HfTokenizer
from llmops.adapters.onnx_embedder import OnnxEmbedder
from llmops.adapters.weights import packaged
from llmops.domain.errors import LlmopsError

LONG = "The pump room is inspected every morning before the first shift begins. " * 14


@pytest.fixture(scope="module")
def embedder() -> OnnxEmbedder:
    return OnnxEmbedder(threads=1)


def test_gives_unit_vectors_in_the_order_of_the_texts(embedder: OnnxEmbedder) -> None:
    texts = [LONG, "cat", "A kitten sleeps on the sofa.", "Invoices are due within thirty days."]
    vectors = embedder.embed(texts)
    assert vectors.shape == (4, embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    cat, kitten, invoices = vectors[1], vectors[2], vectors[3]
    assert cat @ kitten > cat @ invoices + 0.2


def test_no_texts_give_no_rows(embedder: OnnxEmbedder) -> None:
    assert embedder.embed([]).shape == (0, 384)


def test_last_sentence_of_a_chunk_beyond_128_tokens_changes_its_vector(embedder: OnnxEmbedder) -> None:
    assert 128 < embedder.tokenizer.count(LONG) < 240
    without, with_it = embedder.embed([LONG, LONG + "A violin concerto was rehearsed."])
    assert without @ with_it < 0.995


def test_text_beyond_the_window_is_cut_at_256_tokens(embedder: OnnxEmbedder) -> None:
    window = "water " * 254
    inside, beyond = embedder.embed([window, window + "volcano " * 50])
    assert embedder.max_tokens == 256
    assert inside == pytest.approx(beyond, abs=1e-6)


def test_a_vector_does_not_depend_on_the_batch() -> None:
    words = LONG.split()
    texts = [" ".join(words[: 1 + (7 * i) % 150]) + f" number {i}" for i in range(60)]
    alone = OnnxEmbedder(threads=1, batch_size=1).embed(texts)
    together = OnnxEmbedder(threads=1, batch_size=32).embed(texts)
    order = list(range(len(texts)))
    random.Random(3).shuffle(order)
    shuffled = OnnxEmbedder(threads=2, batch_size=17).embed([texts[i] for i in order])
    assert np.abs(alone - together).max() < 1e-6
    assert np.abs(alone[order] - shuffled).max() < 1e-6


@pytest.mark.parametrize(
    "text", ["", " ", "\n\x00\t", "\ud800", "a\udfffb", "\ud83d\ude00", "🙂" * 40, "x" * 5000, "\u202e\u0301"]
)
def test_hostile_text_has_a_finite_unit_vector(embedder: OnnxEmbedder, text: str) -> None:
    vector = embedder.embed([text])[0]
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_queries_are_embedded_like_documents(embedder: OnnxEmbedder) -> None:
    assert (embedder.embed_queries(["where is it?"]) == embedder.embed(["where is it?"])).all()


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_changed_weights_are_refused(tmp_path: Path, file: str) -> None:
    folder = shutil.copytree(packaged("minilm"), tmp_path / "minilm")
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(LlmopsError, match=f"{file}' was changed: SHA-256") as caught:
        OnnxEmbedder(folder).embed(["text"])
    assert "pip install --force-reinstall" in str(caught.value)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(LlmopsError, match=r"manifest\.json cannot be read"):
        OnnxEmbedder(tmp_path)
    shutil.copy(packaged("minilm") / "manifest.json", tmp_path)
    with pytest.raises(LlmopsError, match=r"tokenizer\.json' cannot be read: No such file"):
        OnnxEmbedder(tmp_path).embed(["text"])


def test_damaged_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "x"}')
    with pytest.raises(LlmopsError, match="is damaged"):
        OnnxEmbedder(tmp_path)


def test_identity_follows_the_weights(tmp_path: Path) -> None:
    folder = shutil.copytree(packaged("minilm"), tmp_path / "minilm")
    manifest = folder / "manifest.json"
    digest = read = manifest.read_text()
    start = digest.index('"model.onnx": "') + len('"model.onnx": "')
    manifest.write_text(read[:start] + "0000" + read[start + 4 :])
    assert OnnxEmbedder(folder).identity != OnnxEmbedder().identity


def test_tokenizer_counts_and_locates_without_limit_or_specials() -> None:
    tokenizer = HfTokenizer(packaged("minilm") / "tokenizer.json")
    text = "Unbelievable prices, naïve \ud800 buyers"
    spans = tokenizer.offsets(text)
    assert len(spans) == tokenizer.count(text)
    assert text[slice(*spans[-1])] == "buyers"
    assert tokenizer.count("word " * 1000) == 1000
    assert tokenizer.count("") == 0
