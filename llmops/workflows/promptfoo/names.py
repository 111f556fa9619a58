"""Names that are taken from another tool."""

import re
from collections.abc import Container
from itertools import count
from unicodedata import normalize


def slug(text: str) -> str:
    """A text as a name of ours: lower case, without accents, hyphens for all else."""
    plain = normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9_-]+", "-", plain).strip("-_")[:60]


def unused(name: str, taken: Container[str]) -> str:
    """The name, or with the first number that makes it one of its own."""
    return next(each for n in count(1) if (each := name if n == 1 else f"{name}-{n}") not in taken)
