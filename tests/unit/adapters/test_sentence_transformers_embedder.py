import importlib.util
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from llmops.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder
from llmops.domain.errors import MissingExtra, UsageError


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


def test_hub_name_without_network_is_explained(tmp_path: Path) -> None:
    code = """
from llmops.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder
from llmops.domain.errors import LlmopsError
try:
    SentenceTransformersEmbedder("nobody/no-such-model").embed(["text"])
except LlmopsError as error:
    print(error)
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "Embedder 'nobody/no-such-model' cannot be loaded" in done.stdout
    assert "give the folder as `name`" in done.stdout
    assert "Traceback" not in done.stderr
