"""What the store keeps for reuse, and what was taken out of it."""

from datetime import UTC, datetime

from llmops.domain.records import record

USED_EVERY_S = 3600
"""What is kept has its last use written again after so long: a warm run of the same hour writes nothing."""
LOW_WATER = 0.9
"""What has outgrown its bound is brought down to this share of it, so that not every run has to remove something."""


@record
class Kept:
    """The nodes of one kind."""

    kind: str
    nodes: int
    bytes: int
    """Of their values."""
    oldest: str
    newest: str
    """When one was last used, ISO 8601, UTC, to about an hour."""


@record
class Removed:
    """What a removal did."""

    nodes: int = 0
    bytes: int = 0
    left: int = 0
    """Bytes of the nodes that are left."""
    busy: int = 0
    """Nodes that were to go and stay, because a run that is going on may need them."""


def when_used(seconds: int) -> str:
    """Seconds since 1970 as `Kept` tells them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
