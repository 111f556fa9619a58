"""The providers that LiteLLM knows, read from its package: LiteLLM itself is asked only about one that is not listed there."""

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from llmops.adapters.credentials import provider_of
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


def check_provider(model_id: str, api_base: str | None = None) -> None:
    """Nothing when LiteLLM finds a provider for an id.

    Raises:
        UsageError: it finds none.
    """
    provider = provider_of(model_id)
    if provider in listed_providers():
        return
    litellm = load_litellm()
    try:
        litellm.get_llm_provider(model_id, api_base=api_base)
    except litellm.BadRequestError as error:
        if "LLM Provider NOT provided" in str(error):
            told = f"the id {model_id!r} begins with {provider!r}, and no provider is called that."
            raise UsageError(told, hint=_hint(model_id, provider, api_base)) from None


def _hint(model_id: str, provider: str, api_base: str | None) -> str:
    own = f"For an endpoint that speaks the OpenAI protocol write `openai/{model_id}`."
    listed = "LiteLLM lists them: https://docs.litellm.ai/docs/providers"
    close = close_to(provider.lower(), listed_providers())
    return " ".join(filter(None, (close, own if api_base else "" if close else listed)))
