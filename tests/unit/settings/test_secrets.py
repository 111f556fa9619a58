"""Credentials are masked wherever they turn up."""

from pathlib import Path

import pytest

from llmops.settings import secrets
from llmops.settings.project import load_project
from llmops.settings.secrets import WITHHELD, masked, masked_parts, secret_spans, unstorable, withheld


def test_configured_credentials_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "correct-horse-battery")
    monkeypatch.setenv("STORE_PASSWORD", "correct-horse")
    assert masked("a correct-horse-battery b correct-horse c") == "a *** b *** c"


def test_a_credential_that_comes_or_changes_later_is_masked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert masked("key s3cr3t-one") == "key s3cr3t-one"

    monkeypatch.setenv("LATE_API_KEY", "s3cr3t-one")
    assert masked("key s3cr3t-one") == "key ***"

    monkeypatch.setenv("LATE_API_KEY", "s3cr3t-two")
    assert masked("key s3cr3t-two") == "key ***"


def test_a_short_value_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "the")
    assert masked("the end") == "the end"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-" + "a1" * 12,
        "ghp_" + "A1b2" * 8,
        "sk-abcdefghijklmnopqrst",
        "AKIA" + "ABCD1234" * 2,
        "ASIA" + "ABCD1234" * 2,
        "sk_live_" + "A1b2" * 6,
        "glpat-" + "A1b2" * 5,
        "hf_" + "A1b2" * 9,
        "npm_" + "A1b2" * 9,
        "gsk_" + "A1b2" * 13,
        "SG." + "A1b2" * 5 + "." + "A1b2" * 10,
        "xapp-1-" + "A1b2" * 5,
        "https://hooks.slack.com/services/" + "T0A1B2C3/B0A1B2C3/" + "A1b2" * 6,
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc\n-----END PGP PRIVATE KEY BLOCK-----",
    ],
)
def test_what_looks_like_a_key_is_masked(secret: str) -> None:
    assert masked(f"before {secret} after") == "before *** after"


@pytest.mark.parametrize(
    "text",
    [
        "export OPENAI_API_KEY=sk-your-api-key-goes-here",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-learn-compatible-estimators",
        "npm_config_registry",
        "postgres://user:<password>@host/db",
        "postgres://user:${DB_PASSWORD}@host/db",
        "postgres://user:$PASSWORD@host/db",
        "postgres://user:password@localhost/db",
        "postgres://user:***@host/db",
    ],
)
def test_what_stands_in_the_place_of_a_key_is_none(text: str) -> None:
    assert masked(text) == text
    assert secret_spans(text) == []


def test_a_long_text_is_searched_in_no_time() -> None:
    assert len(secret_spans("sk-a.xoxb-ab-" * 50_000)) <= 50_000
    assert secret_spans("://a:" * 100_000) == []


def test_a_password_in_a_url_is_masked_and_the_user_kept() -> None:
    assert masked("postgresql://me:hunter2@db/x") == "postgresql://me:***@db/x"


def test_what_may_be_a_word_is_not_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-envkey-99998888777")
    monkeypatch.setenv("STORE_PASSWORD", "postgres")
    monkeypatch.setenv("OTHER_PASSWORD", "organization")
    text = withheld("sk-envkey-99998888777 of the organization postgres", unstorable())
    assert text == f"{WITHHELD} of the organization postgres"
    assert withheld(text, unstorable()) == text
    assert secret_spans(text)[0] == (0, len(WITHHELD))


@pytest.mark.parametrize("cut", range(4, 28))
def test_no_cut_through_a_credential_shows_a_part_of_it(monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-envkey-99998888777")
    text = "key sk-envkey-99998888777 end"
    before, after = masked_parts(text, (0, cut, len(text)))
    assert before == ("key ***" if 4 < cut < 25 else masked(text[:cut]))
    assert after == ("*** end" if 4 <= cut < 25 else masked(text[cut:]))
    one, inside, end = masked_parts(text, (0, 8, 10, len(text)))
    assert (one, inside, end) == ("key ***", "***", "*** end")


def test_overlapping_credentials_are_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "abcdef-123")
    monkeypatch.setenv("B_TOKEN", "123-ghijkl")
    assert secret_spans("x abcdef-123-ghijkl y") == [(2, 19)]


def test_a_variable_that_a_model_names_is_a_credential_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "_declared", set())
    monkeypatch.setenv("TEAM_KEY", "abcd1234efgh5678")
    monkeypatch.setenv("CACHE_KEY", "created_at")
    assert masked("Bearer abcd1234efgh5678 by created_at") == "Bearer abcd1234efgh5678 by created_at"
    (tmp_path / "llmops.yaml").write_text("models:\n  gpt: {id: openai/gpt-4o, api_key_env: TEAM_KEY}\n")
    load_project(tmp_path)
    assert masked("Bearer abcd1234efgh5678 by created_at") == "Bearer *** by created_at"
    assert withheld("Bearer abcd1234efgh5678", unstorable()) == f"Bearer {WITHHELD}"


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "MY_SECRET_KEY", "OPENAI_APIKEY", "HF_TOKEN"])
def test_variables_that_providers_use_are_credentials(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "abcd1234efgh5678")
    assert masked("abcd1234efgh5678") == "***"
