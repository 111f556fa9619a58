"""Evidence that a prompt's exact text passed its gates, as files beside the prompt, so that CI needs no store."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.prompting.ledger import refuse_marks
from llmops.prompting.registry import Registry
from llmops.settings.files import read_text, shown, write_atomic

EVIDENCE = "evidence"
_HEX = frozenset("0123456789abcdef")


def evidence_path(registry: Registry, name: str, prompt_hash: str) -> Path:
    """Where the evidence for this text belongs: `prompts/<name>/evidence/<hash>.json`."""
    if not prompt_hash or not set(prompt_hash) <= _HEX:
        raise UsageError(f"{prompt_hash!r} is not a content hash.")
    return registry.folder(name) / EVIDENCE / f"{prompt_hash}.json"


def read_evidence(registry: Registry, name: str, prompt_hash: str) -> Mapping[str, Any] | None:
    """The evidence for this text; None when there is none.

    Raises:
        InvalidFiles: not JSON, evidence for another text, or a merge left its marks.
    """
    path = evidence_path(registry, name, prompt_hash)
    if not path.exists():
        return None
    file = shown(path, registry.root)
    text = read_text(path, registry.root)
    refuse_marks(text, file, f"Keep one side: git checkout --ours -- {file}. What it lacks, a run of the suite adds.")
    again = "Delete it, and run the suites again."
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InvalidFiles([Problem(file, f"is not valid JSON: {error}.", hint=again)]) from None
    except RecursionError:
        raise InvalidFiles([Problem(file, "is nested too deeply.", hint=again)]) from None
    if not isinstance(document, dict) or document.get("prompt_hash") != prompt_hash:
        raise InvalidFiles([Problem(file, "is not evidence for this text.", key="prompt_hash", hint=again)])
    return document


def write_evidence(registry: Registry, name: str, prompt_hash: str, content: Mapping[str, Any]) -> Path:
    """Write the evidence for a text; `prompt_hash` is added to `content`. The file written."""
    path = evidence_path(registry, name, prompt_hash)
    text = json.dumps({**content, "prompt_hash": prompt_hash}, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomic(path, f"{text}\n")
    return path
