"""What the toxicity detector reads: undone disguises, listed words where they stand, windows that leave nothing out."""

import pytest

from llmops.scoring.toxicity import FEATURES, MAX_CHARACTERS, WINDOW_WORDS, features, listed, readable, windows


def found(text: str) -> list[tuple[str, str]]:
    return [(text[start:end], category) for start, end, category in listed(text)]


@pytest.mark.parametrize(
    "disguised",
    ["You id\u200biot", "YOU 1d10t", "y\u043eu i.d.i.o.t", "you idiooooot", "@somebody you idiot https://example.test/a"],
)
def test_a_disguised_text_reads_as_the_plain_one(disguised: str) -> None:
    assert readable(disguised).replace("idioot", "idiot") == "you idiot"


def test_escaped_characters_of_a_page_are_read() -> None:
    assert readable("Tom &amp;amp; Jerry &lt;3") == "tom & jerry <3"


def test_features_are_as_many_as_promised_and_tell_a_harm_from_its_absence() -> None:
    for text in ("", "You are an idiot!", "x" * 1000):
        assert len(features(text, readable(text))) == FEATURES
    assert features("a moron", "a moron") != features("a melon", "a melon")
    assert features("You moron", "you moron") == features("You idiot", "you idiot")


def test_listed_words_and_phrases_stand_where_they_are_written() -> None:
    assert found("Listen, you worthless p1ece of sh1t!") == [("worthless", "harassment"), ("p1ece of sh1t!", "profanity")]
    assert found("go and kill yourself now") == [("kill yourself", "self-harm")]
    assert found("f u c k this") == [("f u c k", "profanity")]
    assert found("The library opens at nine.") == []


def test_letters_that_are_starred_out_are_guessed() -> None:
    assert readable("F**k you, you b*tch and a**hole, sh*t") == "fuck you, you bitch and asshole, shit"
    assert readable("2*3 is x**2, see foo* and C#") == "2*3 is x**2, see foo* and c#"


def test_features_tell_who_is_meant_and_what_is_quoted() -> None:
    told = {text: features(text, text) for text in ("idiot you not", "not you idiot", "not you 'idiot'")}
    assert len(set(told.values())) == len(told)


def test_a_word_in_a_word_is_not_listed() -> None:
    assert found("Scunthorpe classics, a cockpit and an assistant") == []


def test_windows_hold_every_word_and_whole_sentences_if_they_fit() -> None:
    text = f"{'One two three. ' * 50}{'word ' * 200}. The end."
    places = windows(text)
    assert " ".join(text[start:end] for start, end in places).split() == text.split()
    assert all(len(text[start:end].split()) <= WINDOW_WORDS for start, end in places)
    assert windows("One. Two.") == [(0, 9)]
    assert text[slice(*places[0])].endswith("three.")


def test_nothing_to_read_has_no_window_and_a_long_text_is_cut() -> None:
    assert windows("  ") == []
    assert max(end for _, end in windows("word. " * MAX_CHARACTERS)) <= MAX_CHARACTERS
