"""What a model is remembered to have said."""

import pytest

from llmops.domain.models import Completion
from llmops.domain.retrieval import Hit
from llmops.evaluation.withholding import storable
from llmops.settings.secrets import WITHHELD


def test_a_credential_that_came_after_the_run_began_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Completion("It is tulip-4711-tulip.", None, 0.1)
    assert storable(answer) is answer
    monkeypatch.setenv("SHOP_TOKEN", "tulip-4711-tulip")  # as a client does that reads a .env when it is first used
    assert storable(answer).text == f"It is {WITHHELD}."


def test_nor_does_what_came_with_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "tulip-4711-tulip")
    hit = Hit("tulip-4711-tulip", "https://shop.example/?k=tulip-4711-tulip", "tulip-4711-tulip", given=True)
    stored = storable(Completion("Yes.", None, 0.1, model="m-tulip-4711-tulip", contexts=(hit,)))
    assert "tulip-4711-tulip" not in repr(stored)
    assert stored.contexts[0].source == f"https://shop.example/?k={WITHHELD}"
