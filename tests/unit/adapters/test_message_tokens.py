"""Each model's messages are counted with its own tokenizer where one is public, and marked where none is."""

import pytest

from llmops.adapters.message_tokens import message_counter
from llmops.domain.prompts import Message
from llmops.settings.models import ModelSettings

HELLO = [Message("user", "hello world")]


@pytest.mark.parametrize(
    ("model", "tokens", "estimated"),
    [
        ("openai/gpt-4o-mini", 3 + 3 + 1 + 2, False),
        ("openai/gpt-4", 3 + 3 + 1 + 2, False),
        ("anthropic/claude-haiku-4-5", 3 + 3 + 1 + 2, True),
        ("ollama/llama3.2", 3 + 3 + 1 + 2, True),
        ("openai/my-finetune", 3 + 3 + 1 + 2, True),
        ("embedded/reader-small", 2, False),
    ],
)
def test_a_short_message_is_counted(model: str, tokens: int, estimated: bool) -> None:
    counter = message_counter(ModelSettings(id=model))
    assert (counter.count(HELLO), counter.estimated) == (tokens, estimated)


def test_tokenizers_differ_where_the_models_do() -> None:
    text = [Message("user", "Übergrößenträger, 北京 and naïve façades: 1234567890")]
    counts = {
        name: message_counter(ModelSettings(id=name)).count(text)
        for name in ("openai/gpt-4o", "openai/gpt-4", "anthropic/claude")
    }
    assert len(set(counts.values())) == 3
