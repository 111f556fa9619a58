import shutil
from pathlib import Path

import numpy as np
import pytest

from llmops.adapters.static_embedder import StaticEmbedder
from llmops.adapters.weights import packaged
from llmops.domain.errors import LlmopsError


@pytest.fixture(scope="module")
def embedder() -> StaticEmbedder:
    return StaticEmbedder()


def test_gives_unit_vectors_near_related_texts(embedder: StaticEmbedder) -> None:
    vectors = embedder.embed(["cat", "A kitten sleeps on the sofa.", "Invoices are due within thirty days."])
    assert vectors.shape == (3, 256)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


def test_the_end_of_a_long_text_counts(embedder: StaticEmbedder) -> None:
    long = "Water flows through the valve. " * 200
    without, with_it = embedder.embed([long, long + "Violin concerto. " * 40])
    assert without @ with_it < 0.99


def test_a_vector_does_not_depend_on_the_batch(embedder: StaticEmbedder) -> None:
    texts = [f"Shelf {i} holds {'blue ' * (i % 9)}boxes" for i in range(2100)]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts[1000:1050]])
    assert np.abs(together[1000:1050] - alone).max() < 1e-6


@pytest.mark.parametrize("text", ["", " \n", "\ud800", "a\udfffb", "\U000e0001", "🙂", "x" * 5000])
def test_hostile_text_has_a_finite_unit_vector(embedder: StaticEmbedder, text: str) -> None:
    vectors = embedder.embed(["before", text, "after"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (vectors[0] == embedder.embed(["before"])[0]).all()


def test_no_texts_give_no_rows(embedder: StaticEmbedder) -> None:
    assert embedder.embed([]).shape == (0, 256)


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(packaged("static"), tmp_path / "static")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LlmopsError, match="was changed"):
        StaticEmbedder(folder).embed(["text"])


def test_needs_no_hub(embedder: StaticEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert StaticEmbedder().embed(["text"]).shape == (1, 256)
    assert StaticEmbedder().identity == embedder.identity
