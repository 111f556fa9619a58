import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmops.scoring.matching import compiled, equal, folded, found_in


def test_folding_removes_only_what_no_reader_sees() -> None:
    assert folded(" It\u2019s\u00a0a\n\tpage\u2011number\u200b ", ignore_case=False) == "It's a page-number"
    assert folded("Cafe\u0301", ignore_case=True) == "caf\u00e9"
    assert folded("10\u00b2", ignore_case=True) == "10\u00b2"


@pytest.mark.parametrize(
    ("text", "expected", "same"),
    [
        (" yes\n", "yes", True),
        ("Yes", "yes", False),
        ("yes.", "yes", False),
        ("yes no", "yes  no", False),
    ],
)
def test_equal_ignores_only_space_around_the_text(text: str, expected: str, same: bool) -> None:
    assert equal(text, expected) is same


@pytest.mark.parametrize(
    ("text", "expected", "same"),
    [
        ("\u201cParis\u201d.", "paris", True),
        ("`4`", "4", True),
        ("Paris  is\nnice.", "paris is nice", True),
        ("Paris!", "paris", False),
        ("4.5", "4", False),
    ],
)
def test_equal_normalised(text: str, expected: str, same: bool) -> None:
    assert equal(text, expected, ignore_case=True, normalise=True) is same


def test_equal_ignores_case_when_asked() -> None:
    assert equal("STRASSE", "stra\u00dfe", ignore_case=True)


def contains(text: str, fact: str, **how: bool) -> bool:
    return list(found_in(text, [fact], **how)) == [fact]


@pytest.mark.parametrize(
    "text", ["It is 4.", "4", "(4)", "**4**", "_4_", "4%", "$4", "1,4,5", "range 3-4", "4, 5", "x=4;", "= 4"]
)
def test_a_number_stands_as_a_whole(text: str) -> None:
    assert contains(text, "4", whole_words=True)


@pytest.mark.parametrize("text", ["14", "41", "4.5", "0.4", "q4", "4th", "q_4", "4_000", "4,000", "it is -4", "1.4.2", "x4"])
def test_a_number_inside_another_is_not_that_number(text: str) -> None:
    assert contains(text, "4")
    assert not contains(text, "4", whole_words=True)


@pytest.mark.parametrize(
    ("text", "fact", "found"),
    [
        ("Edit prompt.j2.", "prompt.j2", True),
        ("use --limits", "--limit", False),
        ("use --limit.", "--limit", True),
        ("max_tokens", "tokens", False),
        ("Tokens are", "tokens", True),
        ("24,000 rows", "000", False),
        ("resume\u0301s", "resume", False),
        ("a scatter, then a cat", "cat", True),
        ("set in the\nenvironment wins", "in the environment", True),
    ],
)
def test_whole_words(text: str, fact: str, found: bool) -> None:
    assert contains(text, fact, whole_words=True) is found


def test_case_counts_when_asked() -> None:
    assert contains("PARIS", "Paris")
    assert not contains("PARIS", "Paris", ignore_case=False)


def test_of_several_facts_those_that_stand_there_are_told_as_they_were_written() -> None:
    assert list(found_in("a  Red\nfox", ["fox", "blue", "RED  FOX", "re"], whole_words=True)) == ["fox", "RED  FOX"]


words = st.lists(st.text("abcx", min_size=1, max_size=4), min_size=1, max_size=8)


@given(words, st.text("abcx", min_size=1, max_size=4), st.sampled_from([" ", ", ", "; ", ".\n", " (", "-"]))
def test_whole_words_find_exactly_the_words(some: list[str], word: str, between: str) -> None:
    text = between.join(some)
    assert contains(text, word, whole_words=True) == (word in some)
    assert contains(text, word, whole_words=True) == (re.search(rf"\b{word}\b", text) is not None)


@given(st.text(max_size=40), st.text(min_size=1, max_size=5))
@example("0", " ")
def test_whole_words_are_never_found_where_the_text_is_not(text: str, fact: str) -> None:
    if contains(text, fact, whole_words=True):
        assert contains(text, fact)


@pytest.mark.usefixtures("ends")
def test_a_pattern_that_would_never_end_is_stopped() -> None:
    pattern = compiled(r"^(a|aa)+$")
    with pytest.raises(TimeoutError):
        pattern.search("a" * 60 + "!", timeout=0.1)


def test_flags() -> None:
    assert compiled("^b.c", ["multiline", "ignore_case", "dot_all"]).search("a\nB\nc", timeout=1)
    assert compiled("a b", ["verbose"]).search("ab", timeout=1)
    assert not compiled("^b").search("a\nB", timeout=1)


@pytest.mark.parametrize("flags", [[], ["ignore_case", "multiline"]])
def test_a_wrong_pattern_says_where(flags: list[str]) -> None:
    with pytest.raises(ValueError, match=r"not a valid regular expression: .* at character [45]$"):
        compiled("ab(c", flags)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "mark", "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u00ad\u200b\u2060\ufeff"
)
def test_marks_that_nobody_sees_hide_no_fact(mark: str) -> None:
    assert contains(f"It costs {mark}42{mark} euros", "costs 42 euros", whole_words=True)
    assert contains("It costs 42 euros", f"42{mark} euros")
    assert equal(f"{mark}Yes.{mark}", "yes", ignore_case=True, normalise=True)
