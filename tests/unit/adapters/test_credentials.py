"""Where a model answers is part of what it is; a password in its address is not."""

import pytest

from llmops.adapters.litellm_embedder import identity_of
from llmops.adapters.openai_protocol import model_identity
from llmops.settings.models import ModelSettings


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/m", "OPENAI_BASE_URL"),
        ("m", "OPENAI_BASE_URL"),
        ("hosted_vllm/m", "OPENAI_BASE_URL"),
        ("azure/deployed", "AZURE_API_BASE"),
        ("ollama/m", "OLLAMA_API_BASE"),
    ],
)
def test_another_address_is_another_model(model: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def identities() -> tuple[str, str]:
        return model_identity(ModelSettings(id=model)), identity_of(model, None, ("", ""))

    monkeypatch.delenv(variable, raising=False)
    own = identities()
    monkeypatch.setenv(variable, " http://127.0.0.1:9/v1 ")
    assert own == (f"{model}|", f"litellm|{model}|||")
    assert identities() == (f"{model}|http://127.0.0.1:9/v1", f"litellm|{model}|http://127.0.0.1:9/v1||")
    assert model_identity(ModelSettings(id=model, api_base="http://127.0.0.1:8/v1")) == f"{model}|http://127.0.0.1:8/v1"


def test_the_password_of_an_address_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_API_BASE", "https://me:secretpassword@example.test")
    assert model_identity(ModelSettings(id="azure/deployed")) == "azure/deployed|https://me:***@example.test"
