"""Addresses of endpoints, as a user writes them."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

SUCH_AS = "http://127.0.0.1:8000/v1"
CALLS = ("/chat/completions", "/completions", "/embeddings")
"""Paths that are put behind an address, and that documentation of providers shows with it."""


def checked_address(text: str) -> str:
    """`text`, the address of an HTTP server.

    Raises:
        ValueError: it is none, or holds a password, which would be written into every run, or names one call.
    """
    try:
        url = urlsplit(text)
        usable = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in text):
        raise ValueError(f"should be an address such as {SUCH_AS}")
    if "@" in url.netloc:
        raise ValueError("should hold no user and no password: `api_key_env` names the variable of a key")
    call = next((each for each in CALLS if url.path.rstrip("/").endswith(each)), None)
    if call is not None:
        raise ValueError(f"should end before `{call}`, which is added to it")
    return text


Address = Annotated[str, AfterValidator(checked_address)]
