"""Fixtures of functional tests."""

from collections.abc import Iterator

import pytest
from openai_server import OpenAiServer


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    with OpenAiServer().running() as running:
        yield running
