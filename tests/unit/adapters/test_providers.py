"""The providers of LiteLLM are told from its files, and an id of none is refused."""

import pytest

from llmops.adapters.providers import check_provider, check_slash, listed_providers
from llmops.domain.errors import UsageError


def test_the_files_list_every_provider_that_litellm_has() -> None:
    from litellm import provider_list

    assert set(provider_list) <= listed_providers()
    assert {"veniceai", "sarvam"} <= listed_providers()


@pytest.mark.parametrize(
    "model_id", ["openai/gpt-4o", "gpt-4o", "veniceai/x", "meta/meta-llama-3-70b", "bedrock/converse/anthropic.claude-3", "*"]
)
def test_an_id_of_a_provider_is_taken(model_id: str) -> None:
    check_provider(model_id)


def test_litellm_tells_whose_an_id_without_a_provider_of_a_known_address_is() -> None:
    check_provider("meta-llama/Llama-3-8b", "https://api.together.xyz/v1")


@pytest.mark.parametrize(
    "model_id", ["ft:gpt-4o-mini:us::x", "llama3.2:3b", "ollama/llama3.2:3b", "openai/openai:gpt-4o", "gpt-4o"]
)
def test_a_colon_in_the_name_of_a_model_is_taken(model_id: str) -> None:
    check_slash(model_id)


@pytest.mark.parametrize(
    ("model_id", "meant"),
    [
        ("openai:gpt-4o-mini", "openai/gpt-4o-mini"),
        ("openai:chat:gpt-4o", "openai/gpt-4o"),
        ("anthropic:messages:claude-x", "anthropic/claude-x"),
        ("openrouter:meta/llama", "openrouter/meta/llama"),
    ],
)
def test_a_colon_in_place_of_the_slash_is_refused_with_the_id_that_was_meant(model_id: str, meant: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_slash(model_id)
    assert str(refused.value).endswith(f"Did you mean `{meant}`?")


@pytest.mark.parametrize(
    ("model_id", "api_base", "hint"),
    [
        ("opena/gpt-4o", None, "Did you mean `openai`?"),
        ("OpenAI/gpt-4o", None, "Did you mean `openai`?"),
        ("qqqqq/x", None, "such as `openai/gpt-4o-mini`"),
        ("gpt-99x", None, "such as `openai/gpt-4o-mini`"),
        ("qqqqq/x", "http://127.0.0.1:8000/v1", "write `openai/qqqqq/x`"),
    ],
)
def test_an_id_of_no_provider_is_refused_with_what_was_meant(model_id: str, api_base: str | None, hint: str) -> None:
    with pytest.raises(UsageError, match="LiteLLM knows no ") as refused:
        check_provider(model_id, api_base)
    assert hint in str(refused.value)
