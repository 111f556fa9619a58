"""What a store is and holds."""

from collections.abc import Mapping

from llmops.domain.records import record


@record
class StoreStatus:
    """One store, as it was found; nothing in it was changed."""

    name: str
    """File, or URL without its password."""
    schema: int
    """0: it has no tables yet."""
    newest: int
    """The schema that this llmops writes."""
    rows: Mapping[str, int]
    """By table; empty unless the schema is the newest."""


@record
class Copied:
    """What a copy did."""

    read: Mapping[str, int]
    """Rows by table."""
    written: Mapping[str, int]
    """Those that the target did not have."""
