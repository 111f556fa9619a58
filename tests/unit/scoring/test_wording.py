"""What a sentence does is told from its wording."""

import pytest

from llmops.scoring.wording import WORDING, negates, wording


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Based on the text, it rains.", "about the passages"),
        ("It may rain.", "hedges"),
        ("You should consult a doctor.", "advises"),
        ("Overall, it rains a lot.", "concludes"),
        ("I am unable to answer.", "cannot tell"),
        ("It doesn't rain.", "negates"),
        ("- Rain", "list item"),
        ("2. Rain", "list item"),
        ("These are the kinds of rain:", "colon"),
    ],
)
def test_a_kind_of_wording_is_seen(text: str, kind: str) -> None:
    assert dict(zip(WORDING, wording(text), strict=True))[kind] == 1.0


def test_a_plain_sentence_has_none() -> None:
    assert set(wording("The ferry sails hourly.")) == {0.0}
    assert negates("It never sails.")
    assert not negates("It sails northwards.")
