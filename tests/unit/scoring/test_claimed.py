import pytest

from llmops.scoring.claimed import claimed

TABLE = "Sure!\n\n| Item | Price |\n|:---|---:|\n| Ticket | 24 euros |\n\n(docs/ferry.md)\n\nI hope this helps!"


def test_what_claims_nothing_goes_and_the_rest_stays_in_its_place() -> None:
    found = claimed(TABLE, "What does it cost?", ["docs/ferry.md"])

    assert found.strip() == "| Ticket | 24 euros |"
    assert len(found) == len(TABLE)
    assert found.index("| Ticket") == TABLE.index("| Ticket")


def test_a_sentence_that_declines_goes_and_the_others_stay() -> None:
    answer = "It leaves at 9:15. The passages do not say whether it runs on holidays. A ticket costs 24 euros."

    assert claimed(answer).split("  ")[0] == "It leaves at 9:15."
    assert claimed(answer).endswith("  A ticket costs 24 euros.")
    assert len(claimed(answer)) == len(answer)


@pytest.mark.parametrize("text", ["a | b\n- c", "It is 4 - 3.\n---", "| a | b |\n| c | d |", "x\n|---|"])
def test_only_the_head_of_a_table_is_one(text: str) -> None:
    assert claimed(text) == text
