"""The providers that LiteLLM knows, read from its package: LiteLLM itself is asked only about one that is not listed there."""

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from llmops.adapters.litellm_model import load_litellm
from llmops.domain.errors import UsageError
from llmops.settings.validation import close_to

ENUMERATION = "LlmProviders"
_value = re.compile(r'^    \w+ = "([^"]+)"', re.MULTILINE)


def litellm_file(name: str) -> str:
    """A text file of LiteLLM's package, which is not imported; empty when it is not there."""
    found = find_spec("litellm")
    if found is None or found.origin is None:
        return ""
    try:
        return (Path(found.origin).parent / name).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


@cache
def listed_providers() -> frozenset[str]:
    """Names in front of the slash of LiteLLM ids."""
    enumeration = litellm_file("types/utils.py").partition(f"class {ENUMERATION}(")[2].partition("\n\n\n")[0]
    try:
        configured = json.loads(litellm_file("llms/openai_like/providers.json"))
    except ValueError:
        configured = {}
    return frozenset([*_value.findall(enumeration), *configured])


def check_slash(model_id: str) -> None:
    """Refuse `openai:gpt-4o`, which other tools write, before OpenAI is asked for a model of that name.

    Raises:
        UsageError: with the id that was meant.
    """
    provider, colon, rest = model_id.partition(":")
    if colon and "/" not in provider and provider in listed_providers():
        meant = f"{provider}/{rest.removeprefix('chat:').removeprefix('messages:')}"
        told = f"{model_id!r} has a colon behind its provider; `PROVIDER/MODEL` was expected."
        raise UsageError(told, hint=f"Did you mean `{meant}`?")


def check_provider(model_id: str, api_base: str | None = None) -> None:
    """Refuse an id that LiteLLM can send nowhere, before each call fails by itself.

    Raises:
        UsageError: with the provider that may have been meant.
    """
    provider, slash, _ = model_id.partition("/")
    if slash and provider in listed_providers():
        return
    litellm = load_litellm()
    try:
        litellm.get_llm_provider(model_id, api_base=api_base)
    except litellm.exceptions.BadRequestError:
        told = f"provider `{provider}`, which {model_id!r} names" if slash else f"model {model_id!r} without a provider"
        close = close_to(provider.lower(), listed_providers()) if slash else None
        own = f"For an endpoint that speaks the OpenAI protocol write `openai/{model_id}`." if api_base else None
        hint = " ".join(filter(None, (close, own))) or "An id is `PROVIDER/MODEL`, such as `openai/gpt-4o-mini`."
        raise UsageError(f"LiteLLM knows no {told}.", hint=hint) from None
