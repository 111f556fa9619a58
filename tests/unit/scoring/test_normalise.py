"""Disguised words are read as what they say, and ordinary text is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.normalise import normalised


@pytest.mark.parametrize(
    "disguised",
    [
        "1d10t",
        "i d i o t",
        "i.d.i.o.t",
        "id\u200biot",
        "id\u2066iot\u2069",
        "\u0456di\u043et",
        "IDIOT",
        "\uff49\uff44\uff49\uff4f\uff54",
        "idi\u00f6t",
    ],
)
def test_a_disguise_is_undone(disguised: str) -> None:
    assert normalised(disguised) == "idiot"


def test_stretched_letters_are_shortened() -> None:
    assert normalised("stuuuuupid") == "stuupid"


@pytest.mark.parametrize("text", ["in 1932", "room 404", "costs $5", "a b test", "why?! no"])
def test_numbers_and_short_words_stay(text: str) -> None:
    assert normalised(text) == text


@given(st.text(max_size=200))
def test_any_text_survives(text: str) -> None:
    assert "\u200b" not in normalised(text)
