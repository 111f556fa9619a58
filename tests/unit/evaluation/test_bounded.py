"""Calls that come to an end."""

import asyncio

import pytest

from llmops.domain.errors import ModelTimeout
from llmops.domain.models import Completion, CompletionRequest
from llmops.evaluation.bounded import BoundedModel


class Silent:
    """A model whose vendor keeps no timeout."""

    identity = "silent"
    resumes_at = 5.0
    closed = False

    async def complete(self, request: CompletionRequest) -> Completion:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def close(self) -> None:
        self.closed = True


async def test_a_vendor_that_never_answers_is_given_up() -> None:
    silent = Silent()
    model = BoundedModel(silent, -0.9)  # a bound of ten milliseconds
    assert (model.identity, model.resumes_at) == ("silent", 5.0)
    with pytest.raises(ModelTimeout, match="no answer within"):
        await model.complete(CompletionRequest(()))
    await model.close()
    assert silent.closed
