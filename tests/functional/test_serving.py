"""A route in an application: what it asks its models when one of them was away."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from command_line import write
from openai_server import OpenAiServer

from llmops import serving
from llmops.evaluation import endpoints
from llmops.serving import Router

PROJECT = """models:
  small: {{id: openai/small, api_base: {small}, timeout_s: 5, max_retries: 0}}
  large: {{id: openai/large, api_base: {large}, timeout_s: 5, max_retries: 0}}
routes:
  backed: {{kind: fallback, models: [small, large]}}
"""


@pytest.fixture
def servers() -> Iterator[tuple[OpenAiServer, OpenAiServer]]:
    with OpenAiServer().running() as small, OpenAiServer().running() as large:
        yield small, large


@pytest.fixture
def folder(tmp_path: Path, servers: tuple[OpenAiServer, OpenAiServer]) -> Path:
    small, large = servers
    return write(tmp_path, {"llmops.yaml": PROJECT.format(small=small.base, large=large.base)})


@pytest.fixture
async def backed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Router]:
    """Takes an endpoint for dead at once, and tries it again at once."""
    monkeypatch.setattr(endpoints, "AFTER_S", 0.0)
    monkeypatch.setattr(serving, "REST_S", 0.0)
    router = Router(folder, "backed")
    yield router
    await router.close()


async def served_by(router: Router, question: str) -> str:
    answer = await router.complete([{"role": "user", "content": question}])
    return next(call.model for call in answer.route if call.served)


async def test_a_model_that_was_away_serves_again(backed: Router, servers: tuple[OpenAiServer, OpenAiServer]) -> None:
    small, _ = servers
    small.always = "reset"
    away = [await served_by(backed, f"away {n}") for n in range(endpoints.FAILURES + 2)]
    assert set(away) == {"large"}
    small.always = None
    assert [await served_by(backed, f"back {n}") for n in range(3)] == ["small"] * 3
