"""Builds what models write for the queries of an index, for a run that asks many and for a caller that waits."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cached_property

from llmops.domain.ports import Store
from llmops.domain.queries import Written
from llmops.evaluation.judging.judges import Judges
from llmops.evaluation.own_loop import waited
from llmops.evaluation.planning import Target
from llmops.evaluation.rewriting import Rewriter, writings_of
from llmops.prompting.template import PromptVersion
from llmops.settings.retrieval import RetrieveSettings


class ProjectWriter:
    """Implements `QueryWriter` with the models and prompts of a project; replies are kept in its store."""

    def __init__(
        self,
        settings: RetrieveSettings,
        model: Callable[[str], Target],
        prompt: Callable[[str], PromptVersion],
        store: Callable[[], Store],
    ) -> None:
        """Ask and open nothing yet.

        Args:
            settings: of the index.
            model: from a name to the model.
            prompt: from a reference to a prompt of the project.
            store: opens the store.
        """
        self._settings = settings
        self._model = model
        self._prompt = prompt
        self._store = store

    @cached_property
    def identity(self) -> str:
        """As the port.

        Raises:
            UsageError: no such model or prompt.
        """
        return self.rewriter(Judges(self._model, self._store)).identity

    def rewriter(self, judges: Judges) -> Rewriter:
        """The same for a run, whose calls `judges` makes.

        Raises:
            UsageError: no such model or prompt.
        """
        return Rewriter(writings_of(self._settings, self._model, self._prompt), judges)

    def written(self, texts: Sequence[str]) -> list[Written]:
        """As the port: all at once, as many calls at a time as the models allow."""
        judges = Judges(self._model, self._store)
        rewriter = self.rewriter(judges)

        async def ask() -> list[Written]:
            async with judges.running():
                return await asyncio.gather(*map(rewriter, texts))

        return waited(ask())
