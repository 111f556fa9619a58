"""Where the key and the address of a hosted model come from."""

import os

from llmops.domain.errors import MissingCredential
from llmops.settings.models import ModelSettings
from llmops.settings.secrets import masked, sendable

KEY_VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "azure": "AZURE_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "mistral": "MISTRAL_API_KEY",
    "groq": "GROQ_API_KEY",
    "cohere": "COHERE_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "together_ai": "TOGETHERAI_API_KEY",
    "fireworks_ai": "FIREWORKS_AI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "perplexity": "PERPLEXITYAI_API_KEY",
    "xai": "XAI_API_KEY",
    "huggingface": "HUGGINGFACE_API_KEY",
}
"""The provider's usual variable, as LiteLLM reads it."""

SPEAK_OPENAI = ("openai", "hosted_vllm", "lm_studio", "llamafile")
"""Providers of LiteLLM ids whose endpoints speak OpenAI's protocol as it stands."""
NO_KEY = "none"
"""Sent to an endpoint of the user's own that has no key: the protocol wants some text there."""


def provider_of(model_id: str) -> str:
    """The part of a LiteLLM id in front of the first slash; ids without one are OpenAI's."""
    return model_id.partition("/")[0] if "/" in model_id else "openai"


def address_of(settings: ModelSettings) -> str:
    """Where a model answers: `api_base`, else what the environment names; empty: at its provider's own address."""
    provider = provider_of(settings.id)
    variable = "OPENAI_BASE_URL" if provider in SPEAK_OPENAI else f"{provider.upper()}_API_BASE"
    return settings.api_base or masked(os.environ.get(variable, "").strip())


def key_variable(settings: ModelSettings) -> str | None:
    """The environment variable that holds the model's key; None when the provider has none that we know."""
    return settings.api_key_env or KEY_VARIABLES.get(provider_of(settings.id))


def needs_no_key(settings: ModelSettings) -> bool:
    """A server of the user's own, whose key nobody has named, is asked without one where none is set."""
    return settings.api_base is not None and settings.api_key_env is None


def key_of(name: str, settings: ModelSettings) -> str | None:
    """The key of a model.

    Raises:
        MissingCredential: the provider needs one, and its variable is not set or holds what cannot be a key.
    """
    variable = key_variable(settings)
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if key and not sendable(key):
        raise MissingCredential(
            f"The key of model {name!r} ({settings.id}) in {variable} holds a control character, which no request can carry.",
            hint="Set the key alone, without line breaks.",
        )
    if key:
        return key
    if needs_no_key(settings):
        return NO_KEY
    hint = f"Set it in the environment or in a file `.env` beside llmops.yaml: {variable}=..."
    raise MissingCredential(f"Model {name!r} ({settings.id}) needs a key, and {variable} is not set.", hint=hint)
