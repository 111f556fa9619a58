"""Work that another process does for this one."""

from collections.abc import Callable
from typing import Any

from llmops.domain.records import record


@record
class Part:
    """An object of the project that each worker builds for itself when it is first asked for."""

    kind: str
    """`served_model`, `detector` or `embedder`: a method of what the workshop opens."""
    names: tuple[Any, ...]
    """What that method takes; hashable."""


@record
class Job:
    """One call of a method of a part."""

    part: Part
    method: str
    arguments: tuple[Any, ...]


@record
class Workshop:
    """What a worker is given once, before its first job."""

    open: Callable[[], Any]
    """Gives the object whose methods build parts, one method for each kind; a function that pickle finds by its name."""
    variables: dict[str, str]
    """Of the environment: the keys of the models."""
