"""What a case asks."""

import pytest

from llmops.domain.cases import Case
from llmops.domain.prompts import Image


@pytest.mark.parametrize(
    ("vars", "asked"),
    [
        ({"question": "When is high tide?", "tone": "kind"}, "When is high tide?"),
        ({"text": "Tides turn.", "year": 1905}, "Tides turn."),
        ({"text": "Tides turn.", "tone": "kind"}, None),
        ({"question": 7}, None),
        ({"question": ""}, ""),
    ],
)
def test_the_question_is_the_variable_of_that_name_or_else_the_only_text(vars: dict[str, object], asked: str | None) -> None:
    assert Case("q", vars).question == asked


def test_images_come_alone_or_in_lists() -> None:
    one, other = (Image(f"{name}.png", f"/{name}.png", "image/png", name) for name in ("one", "other"))
    assert Case("q", {"photo": one, "text": "x", "more": [other, "y"]}).images == [one, other]
