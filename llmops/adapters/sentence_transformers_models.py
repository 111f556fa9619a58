"""Models of the hub (`local` extra): whether they can be used, which they are, and how they are loaded."""

import os
from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path
from typing import Any

from llmops.domain.errors import LlmopsError, MissingExtra, UsageError
from llmops.domain.keys import content_hash

WEIGHT_FILES = ("*.safetensors", "*.bin", "*.onnx", "*.json", "*.txt", "*.model")


def check_extra(what: str) -> None:
    """Refuse to go on without the extra.

    Raises:
        MissingExtra: sentence-transformers is not installed.
    """
    from importlib.util import find_spec

    if find_spec("sentence_transformers") is None:
        raise MissingExtra(what, "local")


def loaded(what: str, kind: str, name: str, device: str | None) -> Any:  # noqa: ANN401 -- an untyped vendor object
    """A model of sentence-transformers.

    Args:
        what: names it in messages.
        kind: its class there.
        name: a hub name or a folder.
        device: as torch names it; None: a GPU if there is one.

    Raises:
        UsageError: the folder does not exist.
        LlmopsError: it cannot be loaded.
    """

    def load() -> Any:  # noqa: ANN401 -- an untyped vendor object
        import sentence_transformers

        return getattr(sentence_transformers, kind)(name, device=device)

    return opened(what, name, load)


def opened(what: str, name: str, load: Callable[[], Any]) -> Any:  # noqa: ANN401 -- an untyped vendor object
    """What `load` gives; the vendors stay quiet, and their errors are told as ours.

    Args:
        what: names it in messages.
        name: a hub name or a folder.
        load: imports a vendor and loads the model.

    Raises:
        UsageError: the folder does not exist.
        LlmopsError: it cannot be loaded.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    if _looks_like_path(name) and not Path(name).is_dir():
        raise UsageError(f"{what} {name!r}: there is no such folder.", hint="Give a hub name or an existing folder.")
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return load()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        # Hub failures (unknown name, no network, offline mode) are all subclasses of OSError or ValueError.
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        hint = "Check the name and the network, or download the model once and give the folder as `name`."
        raise LlmopsError(f"{what} {name!r} cannot be loaded: {cause}", hint=hint) from error


def _looks_like_path(name: str) -> bool:
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name


def source(name: str) -> str:
    """The hub name, or a digest of the folder's content."""
    folder = Path(name)
    if not folder.is_dir():
        return name
    files = sorted({path for pattern in WEIGHT_FILES for path in folder.rglob(pattern) if path.is_file()})
    digests = []
    for path in files:
        with path.open("rb") as stream:
            digests.append(f"{path.relative_to(folder).as_posix()}={file_digest(stream, 'sha256').hexdigest()}")
    return f"{folder.name}@{content_hash(chr(10).join(digests))}"
