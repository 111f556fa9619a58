"""What the store keeps for reuse, and what was taken out of it."""

from llmops.domain.records import record


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
