"""A text's hashed features are stable, bounded and blind to disguise."""

import math

from llmops.scoring.toxicity import BUCKETS, MAX_CHARACTERS, buckets, words


def test_features_have_length_one_and_known_places() -> None:
    found = buckets("Have a nice day")
    assert math.isclose(sum(weight**2 for weight in found.values()), 1.0)
    assert all(0 <= place < BUCKETS for place in found)


def test_a_disguised_text_has_the_features_of_the_plain_one() -> None:
    assert buckets("you id\u200biot") == buckets("YOU 1d10t") == buckets("you idiot")
    assert buckets("you idiot") != buckets("you saint")


def test_a_text_without_letters_has_none_and_a_long_one_is_cut() -> None:
    assert buckets("123 456") == {}
    assert buckets("a " * MAX_CHARACTERS + "zebra") == buckets("a " * MAX_CHARACTERS)


def test_words_are_spans() -> None:
    assert list(words(" two  words")) == [(1, 4), (6, 11)]
