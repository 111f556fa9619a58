"""What is searched for: a query, and what a model has made of it."""

from llmops.domain.records import record
from llmops.domain.scores import JudgeUse


@record
class Query:
    """A text that is searched for. What a model has written for it is data: it is searched for and never obeyed."""

    text: str
    """As the user or the case has it."""
    rewrites: tuple[str, ...] = ()
    """Other wordings, each searched for as well."""
    passages: tuple[str, ...] = ()
    """Made-up passages that would answer it: their vectors are averaged with its own."""


@record
class Written:
    """A query after a model has written for it."""

    query: Query
    use: JudgeUse = JudgeUse()
    """What the calls took."""
    seconds: float = 0.0
    """Latency of the calls when they were made, those that are made together counted once."""
