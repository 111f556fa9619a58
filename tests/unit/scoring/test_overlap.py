"""Metrics of a text against a reference, held against published examples and other implementations."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.overlap import MAX_CHARACTERS, Metric, agreement, common_subsequence, levenshtein

METRICS: tuple[Metric, ...] = ("f1", "rouge-1", "rouge-2", "rouge-l", "bleu", "chrf", "edit")
TEXT = "The ferry leaves the harbour at noon, and returns in the evening."
REFERENCE = "At noon the ferry leaves from the harbour; it returns in the late evening."
short = st.text("abc dé", max_size=12)


@pytest.mark.parametrize(
    ("metric", "text", "reference", "value"),
    [
        # rouge_score 0.1.2
        ("rouge-1", TEXT, REFERENCE, 0.8461538461538461),
        ("rouge-2", TEXT, REFERENCE, 0.5),
        ("rouge-l", TEXT, REFERENCE, 0.6923076923076924),
        # sacrebleu 2.6.0: sentence scores, tokenizers 13a and zh
        ("bleu", TEXT, REFERENCE, 0.15569748719141403),
        ("bleu", "The ferry rests now", REFERENCE, 0.007952776003571096),
        ("bleu", "渡轮中午离开港口。", "渡轮在中午离开港口。", 0.7189393375176811),
        ("chrf", TEXT, REFERENCE, 0.6381678986373315),
        ("chrf", "渡轮中午离开港口。", "渡轮在中午离开港口。", 0.6462972459118494),
        # Lin (2004), section 3.1
        ("rouge-l", "police kill the gunman", "police killed the gunman", 3 / 4),
        ("rouge-l", "the gunman kill police", "police killed the gunman", 2 / 4),
        # by the definition of SQuAD
        ("f1", "The Denver Broncos!", "Denver Broncos", 1.0),
        ("f1", "in the year 1905", "1905", 0.5),
        ("edit", "kitten", "sitting", 1 - 3 / 7),
    ],
)
def test_values_are_those_of_the_literature_and_of_other_tools(metric: Metric, text: str, reference: str, value: float) -> None:
    assert agreement(metric, text, reference).value == pytest.approx(value, abs=1e-12)


def test_precision_and_recall_are_told_apart() -> None:
    found = agreement("rouge-1", TEXT, REFERENCE)
    assert found.precision == pytest.approx(11 / 12)
    assert found.recall == pytest.approx(11 / 14)


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_agrees_with_an_empty_text_but_another_one(metric: Metric) -> None:
    assert agreement(metric, "", "noon").value == 0
    assert agreement(metric, "noon", "").value == 0
    assert agreement(metric, "", "").value == (1 if metric in ("f1", "edit") else 0)


@pytest.mark.parametrize("metric", METRICS)
def test_composed_and_decomposed_letters_are_equal(metric: Metric) -> None:
    assert agreement(metric, "un caf\u00e9 noir et chaud", "un cafe\u0301 noir et chaud").value == pytest.approx(1)


def test_long_texts_are_read_up_to_a_bound() -> None:
    assert agreement("edit", "a" * 10 * MAX_CHARACTERS, "a" * MAX_CHARACTERS).value == 1


@given(st.sampled_from(METRICS), short, short)
def test_values_are_shares_and_a_text_agrees_with_itself(metric: Metric, text: str, reference: str) -> None:
    assert 0 <= agreement(metric, text, reference).value <= 1
    if metric != "rouge-2" and text.replace("a", "").strip():  # a single word has no pair, and SQuAD drops the article
        assert agreement(metric, text, text).value == pytest.approx(1)


@given(short, short)
def test_the_bits_find_what_the_tables_find(first: str, second: str) -> None:
    assert levenshtein(first, second) == distance_by_table(first, second)
    assert common_subsequence(first, second) == subsequence_by_table(first, second)


def distance_by_table(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        before, row = row, [i]
        for j, b in enumerate(second, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
    return row[-1]


def subsequence_by_table(first: Sequence[str], second: Sequence[str]) -> int:
    row = [0] * (len(second) + 1)
    for a in first:
        before, row = row, [0]
        for j, b in enumerate(second, start=1):
            row.append(before[j - 1] + 1 if a == b else max(before[j], row[-1]))
    return row[-1]
