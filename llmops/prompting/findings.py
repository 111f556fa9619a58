"""What a lint rule reports before it is known whether a comment switches it off."""

from llmops.domain.records import record


@record
class Draft:
    """A fault, its place relative to the prompt's own file unless `file` says otherwise."""

    rule: str
    message: str
    line: int | None = None
    """1-based."""
    column: int | None = None
    """1-based."""
    file: str | None = None
    hint: str | None = None
