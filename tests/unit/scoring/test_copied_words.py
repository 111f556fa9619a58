"""Copied runs and new words are counted as a reader would."""

import math

from llmops.scoring.copied_words import COPYING, MAX_CHARACTERS, Source, words

SOURCE = Source.of(["The bridge carries 40,000 cars a day.", "The ferry sails hourly."])


def copied(text: str) -> dict[str, float]:
    return dict(zip(COPYING, SOURCE.copied(words(text)), strict=True))


def test_a_copied_sentence_is_one_run_without_a_gap() -> None:
    found = copied("the ferry sails hourly")
    assert found["new content words, share"] == found["new pairs"] == found["longest gap"] == 0.0
    assert found["longest run"] == found["mean run"] == 4.0
    assert found["in runs of three"] == 1.0
    assert found["in runs of five"] == 0.0


def test_a_run_does_not_cross_the_end_of_a_sentence() -> None:
    assert copied("cars a day the ferry sails")["longest run"] == 3.0


def test_new_words_are_counted_but_other_forms_of_known_ones_are_not() -> None:
    found = copied("Ferries carried penguins.")
    assert found["new content words"] == math.log1p(1)
    assert found["new content words, share"] == 1 / 3
    assert found["longest gap"] == math.log1p(3)
    assert SOURCE.new(words("The penguins sail the bridges")) == ["penguins"]


def test_nothing_at_all_has_features() -> None:
    assert set(Source.of([]).copied([])) == {0.0}


def test_a_huge_sentence_is_read_in_part() -> None:
    assert len(words("word " * MAX_CHARACTERS)) == MAX_CHARACTERS // 5
