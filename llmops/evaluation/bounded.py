"""A model whose calls come to an end, whatever its vendor does."""

import asyncio

from llmops.domain.errors import ModelTimeout
from llmops.domain.models import Completion, CompletionRequest
from llmops.domain.ports import ChatModel


class BoundedModel:
    """Implements `ChatModel`. It stands where the call is sent: what a call waits for on its way there is not counted."""

    def __init__(self, model: ChatModel, timeout_s: float) -> None:
        """Bound a model.

        Args:
            model: with a timeout of its own; this one holds where that does not.
            timeout_s: of a call.
        """
        self.identity = model.identity
        self._model = model
        self._timeout_s = timeout_s

    @property
    def resumes_at(self) -> float:
        """As the port."""
        return self._model.resumes_at

    async def complete(self, request: CompletionRequest) -> Completion:
        """As the port.

        Raises:
            ModelTimeout: no answer within the timeout, a tenth of it, and a second.
        """
        try:
            async with asyncio.timeout(self._timeout_s * 1.1 + 1):
                return await self._model.complete(request)
        except TimeoutError as error:
            raise ModelTimeout(f"no answer within {self._timeout_s:g} s") from error

    async def close(self) -> None:
        """As the port."""
        await self._model.close()
