"""What a model is remembered to have said."""

import pytest

from llmops.domain.models import Completion
from llmops.evaluation.withholding import storable
from llmops.settings.secrets import WITHHELD


def test_a_credential_that_came_after_the_run_began_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Completion("It is tulip-4711-tulip.", None, 0.1)
    assert storable(answer) is answer
    monkeypatch.setenv("SHOP_TOKEN", "tulip-4711-tulip")  # as a client does that reads a .env when it is first used
    assert storable(answer).text == f"It is {WITHHELD}."
