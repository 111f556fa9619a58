"""Sentences keep their exact place in the text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.sentences import split_sentences, worded_sentences


def texts(text: str) -> list[str]:
    return [sentence.text for sentence in split_sentences(text)]


def test_abbreviations_initials_and_numbers_do_not_end_a_sentence() -> None:
    assert texts("Dr. Roe met J. Smith. They paid 3.50 euros, e.g. for tea. Done!") == [
        "Dr. Roe met J. Smith.",
        "They paid 3.50 euros, e.g. for tea.",
        "Done!",
    ]


def test_a_closing_quotation_mark_belongs_to_its_sentence() -> None:
    assert texts('She said "Stop!" Then she left.') == ['She said "Stop!"', "Then she left."]


def test_list_items_and_paragraphs_are_kept_apart() -> None:
    assert texts("The library\nopens at nine on\n- Monday\n- Tuesday\n\nIt closes at five") == [
        "The library\nopens at nine on",
        "- Monday",
        "- Tuesday",
        "It closes at five",
    ]


def test_what_says_nothing_by_itself_is_left_out_or_joined() -> None:
    text = "Do this:\n1. Open it.\n 22. Close it. It took 5. Done.\n| a |\n|---|\n| b |\n```sh\nls\n```\n\n---\n\n3."
    assert [each.text for each in worded_sentences(text)] == [
        "Do this:",
        "1. Open it.",
        "22. Close it.",
        "It took 5.",
        "Done.",
        "| a |",
        "| b |",
        "```sh\nls",
        "3.",
    ]
    assert all(each.text == text[each.start : each.end] for each in worded_sentences(text))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("退款需14天。费用为1000元！「可以吗？」请联系客服", ["退款需14天。", "费用为1000元！", "「可以吗？」", "请联系客服"]),
        ("यह एक है। यह दूसरा है।", ["यह एक है।", "यह दूसरा है।"]),
        ("هل هذا سؤال؟ نعم.", ["هل هذا سؤال؟", "نعم."]),
    ],
)
def test_sentences_of_other_scripts_end_at_their_own_marks(text: str, sentences: list[str]) -> None:
    assert texts(text) == sentences


@given(st.text(max_size=300))
def test_spans_are_ordered_exact_and_lose_nothing_but_white_space(text: str) -> None:
    at = 0
    rest = []
    for sentence in split_sentences(text):
        assert at <= sentence.start < sentence.end <= len(text)
        assert sentence.text == text[sentence.start : sentence.end]
        rest.append(text[at : sentence.start])
        at = sentence.end
    assert not "".join([*rest, text[at:]]).strip()


@pytest.mark.usefixtures("ends")
def test_a_long_list_in_one_line_is_split_in_no_time() -> None:
    assert len(split_sentences("1. " * 400_000)) == 400_000


@pytest.mark.usefixtures("ends")
@pytest.mark.parametrize("piece", [".", "?!", "…"])
def test_endless_marks_are_one_sentence_in_no_time(piece: str) -> None:
    assert len(split_sentences(f"So{piece * 200_000}x. Done.")) == 2  # in quadratic time: half an hour
