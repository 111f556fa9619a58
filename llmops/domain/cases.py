"""A case: one row of a dataset."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from llmops.domain.prompts import Image
from llmops.domain.records import record

FIELDS = ("id", "expected", "contexts", "relevant", "output", "tags")
"""A case's own fields that evaluators may read; no variable stands for one."""


@record
class Case:
    """One question put to every prompt and target of a suite."""

    id: str
    vars: Mapping[str, Any]
    """Values of the prompt's variables: JSON values and images."""
    expected: Any = None
    """The right answer or the facts it must hold; what it means is up to the evaluators that read it."""
    contexts: tuple[str, ...] = ()
    """Passages that come with the case; they are added to the retrieved hits, marked as given."""
    relevant: tuple[str, ...] | None = None
    """Where the answer stands: `path`, `path#heading` or `path:start-end`. None: not known. Empty: nowhere."""
    output: str | None = None
    """An answer that already exists: the case is scored, no model is called."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    evaluators: tuple[Any, ...] = ()
    """Evaluator specifications of this case alone, in the form a suite has them."""
    files: Mapping[str, str | list[str]] = field(default_factory=dict)
    """Paths of the files that `vars` holds the text or the image of, by variable."""
    line: int | None = None
    """1-based line of the dataset file, for messages."""

    @property
    def question(self) -> str | None:
        """What it asks: the variable `question`, else its only text variable; None: it has no such text."""
        texts = {name: value for name, value in self.vars.items() if isinstance(value, str)}
        return next(iter(texts.values())) if len(texts) == 1 else texts.get("question")

    @property
    def images(self) -> list[Image]:
        """Those that come with the question."""
        values = [value if isinstance(value, list) else [value] for value in self.vars.values()]
        return [each for value in values for each in value if isinstance(each, Image)]

    def field(self, name: str) -> Any:  # noqa: ANN401 -- a dataset may hold any JSON value
        """A field by the name a suite uses: a field of the case, else of its `metadata`, else of its `vars`.

        Raises:
            KeyError: the case has no such field.
        """
        if name in FIELDS:
            return getattr(self, name)
        return self.metadata[name] if name in self.metadata else self.vars[name]
