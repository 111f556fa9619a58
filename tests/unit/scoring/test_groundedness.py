"""The features say where an answer leaves its passages."""

from llmops.scoring.groundedness import FEATURES, Claim, claims, verbatim

PASSAGES = ("The bridge was opened in 1932 by Ada Smith. It carries 40,000 cars a day.", "The ferry sails hourly.")


def only(answer: str) -> Claim:
    (claim,) = claims(answer, PASSAGES)
    return claim


def feature(claim: Claim, name: str) -> float:
    return claim.features[FEATURES.index(name)]


def test_a_copied_sentence_is_fully_supported() -> None:
    claim = only("It carries 40,000 cars a day.")
    assert len(claim.features) == len(FEATURES)
    assert feature(claim, "best") == feature(claim, "in runs of three") == 1.0
    assert feature(claim, "new words, share") == feature(claim, "new pairs") == 0.0
    assert feature(claim, "numbers missing") == feature(claim, "names missing") == feature(claim, "negation differs") == 0.0
    assert claim.nearest is not None
    assert (claim.nearest.text, claim.nearest.passage) == ("It carries 40,000 cars a day.", 0)


def test_a_sentence_stands_word_for_word_in_a_passage_only_as_a_whole() -> None:
    passages = ("It is not true that rooms are free. “Rooms cost 5 euros.”", "- See the *desk*.\n\n## Prices")
    same = ("It is  not true that rooms are free", '"Rooms cost 5 euros."', "It is not true that rooms are free [1].")
    assert all(verbatim(text, passages) for text in same)
    for text in ("Rooms are free.", "Rooms cost 5.", "Rooms cost 0.5 euros.", "It is true that rooms are free."):
        assert not verbatim(text, passages)


def test_a_number_is_the_same_with_and_without_thousands_separators() -> None:
    assert only("It carries 40000 cars a day.").missing_numbers == ()
    assert only("It carries 50,000 cars a day.").missing_numbers == ("50,000",)


def test_the_number_of_a_citation_is_no_claim() -> None:
    assert only("The ferry sails hourly [7].").missing_numbers == ()


def test_a_name_and_a_negation_that_the_passages_do_not_have_are_counted() -> None:
    assert feature(only("The bridge was opened in 1932 by Joe Brown."), "names missing") == 2.0
    claim = only("The bridge was not opened in 1932 by Ada Smith.")
    assert claim.negation_differs
    assert feature(claim, "negation differs") == 1.0


def test_spans_are_offsets_into_the_answer_and_small_talk_claims_nothing() -> None:
    answer = "  The ferry sails hourly.  ...  Penguins own it."
    found = claims(answer, PASSAGES)
    assert [answer[c.start : c.end] for c in found] == ["The ferry sails hourly.", "Penguins own it."]


def test_without_passages_nothing_is_nearest() -> None:
    (claim,) = claims("The ferry sails.", ())
    assert claim.nearest is None
    assert feature(claim, "best") == 0.0
    assert feature(claim, "new words, share") == 1.0


def test_a_sentence_knows_those_beside_it() -> None:
    one, two = claims("The ferry sails hourly. Penguins own it.", PASSAGES)
    assert feature(one, "after: new pairs") == feature(two, "new pairs") == 1.0
    assert feature(one, "before: new pairs") == feature(two, "after: words") == 0.0
    assert feature(one, "all new words") == feature(two, "all new words") > 0
    assert len(one.features) == len(FEATURES)
