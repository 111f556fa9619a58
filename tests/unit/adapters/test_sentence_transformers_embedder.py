import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from llmops.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder
from llmops.domain.errors import LlmopsError, MissingExtra, UsageError


def test_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str, package: str | None = None) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(MissingExtra, match=r'pip install "llmops\[local\]"'):
        SentenceTransformersEmbedder("org/model")


def test_missing_folder_is_named() -> None:
    with pytest.raises(UsageError, match="no such folder"):
        SentenceTransformersEmbedder("./models/none").embed(["text"])


def test_identity_follows_the_content_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = SentenceTransformersEmbedder(str(tmp_path)).identity
    assert SentenceTransformersEmbedder(str(tmp_path)).identity == first
    assert SentenceTransformersEmbedder(str(tmp_path), prefixes=("query: ", "")).identity != first
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert SentenceTransformersEmbedder(str(tmp_path)).identity != first
    assert str(tmp_path.parent) not in first


def test_hub_name_without_network_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # HF_HUB_OFFLINE is read once, by its import
    with pytest.raises(LlmopsError, match="Embedder 'nobody/no-such-model' cannot be loaded") as caught:
        SentenceTransformersEmbedder("nobody/no-such-model").embed(["text"])
    assert "give the folder as `name`" in str(caught.value)
