"""Content keys: equal content gives an equal key, on every machine and in every process."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from llmops.domain.prompts import Image

KEY_BYTES = 16


def _digest(value: object) -> dict[str, str]:
    if isinstance(value, Image):
        return {"image": value.digest}
    raise TypeError(f"{type(value).__name__} is no JSON value")


_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_digest
).encode


def canonical(value: Any) -> str:  # noqa: ANN401 -- any JSON value
    """JSON with sorted keys and no spaces: one text for one value; of an image its digest counts.

    Raises:
        TypeError: `value` holds something that JSON cannot express.
        ValueError: `value` holds NaN or an infinity.
    """
    return _canonical(value)


def content_hash(data: bytes | str) -> str:
    """BLAKE2b-128 of bytes, or of a text's UTF-8, in hexadecimal."""
    return blake2b(
        data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES
    ).hexdigest()


def node_key(kind: str, version: int, inputs: Mapping[str, Any]) -> str:
    """The key of a node: its kind, the version of its code, and everything that can change its result.

    Args:
        kind: `retrieve`, `generate`, `evaluate` ...
        version: raised by hand when the node's code would give another result for the same inputs.
        inputs: configuration and the content that flows in, as JSON values.
    """
    return content_hash(f"{kind}\x00{version}\x00{canonical(inputs)}")
