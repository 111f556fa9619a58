import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.courtesies import without_courtesies

QUESTION = "How do I cook a duck in the oven?"


@pytest.mark.parametrize(
    "courtesy",
    [
        "Hello! How can I help you today?",
        "Hi there!",
        "Hi Anna,",
        "Good morning, and welcome back to our help desk.",
        "Sure!",
        "Sure, I can help you with that!",
        "Great question!",
        "Thank you for reaching out.",
        "You're welcome!",
        "You\u2019re very welcome!",
        "I hope this helps!",
        "**I hope that helps!**",
        "Let me know if you have any further questions or if there's anything else I can help with.",
        "If you have any further questions, please don't hesitate to ask.",
        "Is there anything else I can help you with?",
        "Would you like to see the price list of the other rooms?",
        "Let me know if you want to cook another duck.",
        "Here is what I found:",
        "Based on the provided passages, here are the steps to cook a duck in the oven:",
        'Here is a brief answer to the question "How do I cook a duck in the oven?"',
        "Have a great day!",
        "Kind regards,\nThe Support Team",
        "Best wishes\n\nAnna of the Harbour Office",
    ],
)
def test_a_courtesy_claims_nothing(courtesy: str) -> None:
    assert not without_courtesies(courtesy, QUESTION).strip()


@pytest.mark.parametrize(
    "claim",
    [
        "Yes.",
        "Sure, the oven is at 180 degrees.",
        "Thanks to the new pump, the flow doubled.",
        "Let me know if you want the 20 % discount.",
        "If you need more information, call 555 0199.",
        "Here are the three ferries that leave on Sundays:",
        "Welcome bonuses are paid in March.",
        "Does the ferry leave at nine?",
        "Hope is the capital of the island.",
        "Certainly not before nine.",
        "According to the manual, the pump stops at 80 degrees.",
        "Regards are sent by the ferry.\nIt leaves at nine.",
    ],
)
def test_a_claim_stays_however_politely_it_is_put(claim: str) -> None:
    assert without_courtesies(claim, QUESTION) == claim


def test_what_stands_around_a_claim_is_taken_out_in_place() -> None:
    answer = "Hi Anna,\nThe duck needs two hours.  I hope this helps!\n\nRegards,\nThe Kitchen"

    found = without_courtesies(answer, QUESTION)

    assert found.strip() == "The duck needs two hours."
    assert len(found) == len(answer)
    assert found.index("The duck") == answer.index("The duck")
    assert found.count("\n") == answer.count("\n")


@given(
    st.text()
    | st.lists(st.sampled_from(["Sure!", "\n", "Thanks,", " ", "Regards,", "Anna", "9:15.", "Let me know"])).map("".join)
)
def test_nothing_moves(answer: str) -> None:
    found = without_courtesies(answer)

    assert len(found) == len(answer)
    assert all(after in (before, " ") for before, after in zip(answer, found, strict=True))
