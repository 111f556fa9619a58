"""Counts the input tokens of messages as a model's own tokenizer does, without a download."""

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from llmops.adapters.embedded_reader import pieces
from llmops.adapters.tiktoken_tokenizer import ENCODING, TiktokenTokenizer
from llmops.domain.prompts import Message
from llmops.domain.records import record
from llmops.settings.models import ModelSettings

PER_MESSAGE = 3
PER_REPLY = 3
"""Tokens that open each message and the answer in OpenAI's chat format (OpenAI Cookbook, "How to count tokens")."""


@record
class MessageCounter:
    """The number of input tokens of a list of messages."""

    count: Callable[[Sequence[Message]], int]
    estimated: bool
    """True when the model's own tokenizer is not public, and another one counts in its place."""


def message_counter(settings: ModelSettings) -> MessageCounter:
    """The counter of a model: exact for OpenAI's encodings and for the embedded readers, else an estimate."""
    if settings.embedded:
        return MessageCounter(lambda messages: sum(pieces(message.content) for message in messages), estimated=False)
    name = settings.id.rpartition("/")[2]
    encoding = _encoding(name) if settings.id.startswith(("openai/", "azure/")) or "/" not in settings.id else None
    if encoding is not None:
        return MessageCounter(_chat(TiktokenTokenizer(encoding).count), estimated=False)
    if "claude" in name:
        return MessageCounter(_chat(_claude()), estimated=True)
    return MessageCounter(_chat(TiktokenTokenizer(ENCODING).count), estimated=True)


def _encoding(name: str) -> str | None:
    from tiktoken.model import encoding_name_for_model

    try:
        return encoding_name_for_model(name)
    except KeyError:
        return None


def _claude() -> Callable[[str], int]:
    """The tokenizer of Claude 2, the last that was published; LiteLLM ships it."""
    from tokenizers import Tokenizer

    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return TiktokenTokenizer(ENCODING).count
    path = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers" / "anthropic_tokenizer.json"
    if not os.access(path, os.R_OK):
        return TiktokenTokenizer(ENCODING).count
    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _chat(count: Callable[[str], int]) -> Callable[[Sequence[Message]], int]:
    return lambda messages: PER_REPLY + sum(PER_MESSAGE + count(m.role) + count(m.content) for m in messages)
