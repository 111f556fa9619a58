"""Requests that a provider answers together, within a day and at a lower price."""

from llmops.domain.records import record


@record
class Batch:
    """How a provider stands with one."""

    id: str
    """As the provider calls it."""
    upload: str
    """Id of the requests that were handed over for it."""
    ended: bool
    requests: int = 0
    """Handed over."""
    answered: int = 0
    """So far, the failed ones included."""
    error: str = ""
    """Why none of the requests was worked on."""
    files: tuple[str, ...] = ()
    """Where its answers stand."""
