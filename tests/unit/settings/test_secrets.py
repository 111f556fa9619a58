"""Credentials are masked wherever they turn up."""

import pytest

from llmops.settings.secrets import masked


def test_configured_credentials_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "correct-horse-battery")
    monkeypatch.setenv("STORE_PASSWORD", "correct-horse")
    assert masked("a correct-horse-battery b correct-horse c") == "a *** b *** c"


def test_a_short_value_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "the")
    assert masked("the end") == "the end"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-" + "a1" * 12,
        "ghp_" + "A1b2" * 8,
        "AKIA" + "ABCD1234" * 2,
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_key_is_masked(secret: str) -> None:
    assert masked(f"before {secret} after") == "before *** after"


def test_a_password_in_a_url_is_masked_and_the_user_kept() -> None:
    assert masked("postgresql://me:hunter2@db/x") == "postgresql://me:***@db/x"
