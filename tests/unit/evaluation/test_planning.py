"""What the keys of evaluations depend on."""

from dataclasses import replace

from llmops.domain.cases import Case
from llmops.domain.retrieval import Hit
from llmops.evaluation.planning import places_hash

CASE = Case("c1", {"question": "How long?"}, relevant=("guide.md#limits",))
HIT = Hit("Sixty seconds.", "guide.md", heading="Guide > Limits", start=10, end=24)


def test_an_evaluation_of_places_outlives_another_text_and_a_passage_that_is_given() -> None:
    given = Hit("Said by hand.", "given", given=True)
    assert places_hash(CASE, [HIT]) == places_hash(CASE, [replace(HIT, text="Ninety seconds."), given])


def test_an_evaluation_of_places_ends_when_a_hit_or_the_relevant_place_moves() -> None:
    moved = [replace(HIT, heading="Guide > Retries"), replace(HIT, start=11), replace(HIT, source="other.md")]
    keys = {places_hash(CASE, [hit]) for hit in (HIT, *moved)} | {places_hash(replace(CASE, relevant=("guide.md",)), [HIT])}
    assert len(keys) == 5
