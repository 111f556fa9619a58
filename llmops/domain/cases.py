"""A case: one row of a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from llmops.domain.answers import said
from llmops.domain.prompts import Image
from llmops.domain.records import record

FIELDS = ("id", "expected", "contexts", "relevant", "output", "tags")
"""A case's own fields that evaluators may read; no variable stands for one."""
HISTORY = "history"
"""The variable that holds the conversation so far, a list of messages."""
History = Sequence[Mapping[str, str]]
"""Messages of a conversation, each with `role` and `content`."""


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
    turns: tuple[Mapping[str, Any], ...] = ()
    """Of a conversation, those that have not begun: the variables of each; those of all turns stand in `vars`."""
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

    @property
    def variables(self) -> set[str]:
        """Names of those that it gives a prompt, in any turn."""
        return {*self.vars, *(name for turn in self.turns for name in turn), *([HISTORY] if self.turns else [])}

    @property
    def history(self) -> History:
        """The conversation so far; nothing when it only begins."""
        found = self.vars.get(HISTORY)
        return found if isinstance(found, list) and all(map(_is_message, found)) else ()

    def given(self, variables: Mapping[str, Any]) -> "Case":
        """The case with these values of variables, in each of its turns."""
        turns = tuple({**turn, **variables} for turn in self.turns)
        return replace(self, vars={**self.vars, **variables}, turns=turns)

    def begun(self) -> "Case":
        """The case in the first of its turns; one without turns is itself."""
        if not self.turns:
            return self
        turns = tuple({**self.vars, **turn} for turn in self.turns)
        return replace(self, turns=turns)._taking(self.history)

    def at_last(self) -> "Case":
        """The case in the last of its turns, as far as that is known without the answers; one without turns is itself."""
        return replace(self, vars={**self.vars, **self.turns[-1]}, turns=()) if self.turns else self

    def after(self, answer: str) -> "Case":
        """The case in its next turn, once this one is answered.

        Raises:
            ValueError: there is none.
        """
        asked = {"role": "user", "content": self.question or ""}
        return self._taking([*self.history, asked, {"role": "assistant", "content": said(answer)}])

    def _taking(self, history: History) -> "Case":
        turn, *later = self.turns
        return replace(self, vars={**turn, HISTORY: list(history)}, turns=tuple(later))

    def field(self, name: str) -> Any:  # noqa: ANN401 -- a dataset may hold any JSON value
        """A field by the name a suite uses: a field of the case, else of its `metadata`, else of its `vars`.

        Raises:
            KeyError: the case has no such field.
        """
        if name in FIELDS:
            return getattr(self, name)
        return self.metadata[name] if name in self.metadata else self.vars[name]


def _is_message(value: Any) -> bool:  # noqa: ANN401 -- any JSON value
    return isinstance(value, Mapping) and isinstance(value.get("role"), str) and isinstance(value.get("content"), str)
