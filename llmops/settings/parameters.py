"""What is passed through to a model with each request, such as `temperature`. It is stored, so no credential may be in it."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator

from llmops.domain.keys import canonical

_credential = re.compile(
    r"(?:api_?key|access_?key|secret|password|authorization|credentials?|(?:^|_)(?:auth|access|session|bearer|ad|api)_?token)$",
    re.IGNORECASE,
)
NOT_HERE = "is a credential, which is not written into a file: name the variable that holds it as the model's `api_key_env`"
_ADDRESSES = ("api_base", "base_url")


def _passed_on(name: str) -> str:
    if _credential.search(name.replace("-", "_")):
        raise ValueError(NOT_HERE)
    if name in _ADDRESSES:
        raise ValueError("says where the calls go: write it as the model's own `api_base`")
    return name


def _holds_none(value: Any) -> Any:  # noqa: ANN401 -- whatever a provider takes
    for name, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(name, str) and _credential.search(name.replace("-", "_")):
            raise ValueError(f"`{name}` {NOT_HERE}")
        _holds_none(inner)
    for inner in value if isinstance(value, list) else ():
        _holds_none(inner)
    return value


def _sendable(params: dict[str, Any]) -> dict[str, Any]:
    for name, value in params.items():
        try:
            canonical(value)
        except (ValueError, TypeError, RecursionError):
            raise ValueError(f"`{name}` is {value!r}, which JSON cannot express") from None
    return params


_Named = dict[Annotated[str, AfterValidator(_passed_on)], Annotated[Any, AfterValidator(_holds_none)]]
Parameters = Annotated[_Named, AfterValidator(_sendable)]
"""By name; a name that a provider reads a credential from is refused, at any depth, and so are an address and what JSON
cannot express."""
