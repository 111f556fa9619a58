"""The datasets of the sample project: honest questions, whose answers really stand where they say."""

import re
from collections import Counter
from typing import Any

import pytest
from manual_pages import ROOT, holds, pages, rows

from benchmarks.detectors import toxicity_prose, toxicity_speech, toxicity_templates, toxicity_tweets
from benchmarks.detectors.contrast import sentences
from benchmarks.detectors.contrast_templates import BENIGN, TOXIC

CASES = rows("manual-qa.jsonl")
ANSWERS = rows("recorded-answers.jsonl")
CONTRAST = rows("toxicity-contrast.jsonl")
FIELDS = {"id", "vars", "expected", "contexts", "relevant", "tags", "metadata"}


def _tagged(tag: str) -> list[dict[str, Any]]:
    return [case for case in CASES if tag in case["tags"]]


def _with_ids(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


@pytest.mark.parametrize(("tag", "least"), [("single", 50), ("several", 16), ("unanswerable", 14), ("adversarial", 14)])
def test_enough_questions_of_each_kind(tag: str, least: int) -> None:
    assert len(_tagged(tag)) >= least


@pytest.mark.parametrize("cases", [CASES, ANSWERS, CONTRAST], ids=["manual-qa", "recorded-answers", "contrast"])
def test_ids_are_unique_and_fields_known(cases: list[dict[str, Any]]) -> None:
    counts = Counter(case["id"] for case in cases)
    assert [name for name, count in counts.items() if count > 1] == []
    assert all(set(case) <= FIELDS | {"output"} for case in cases)


def test_no_question_stands_twice() -> None:
    counts = Counter(case["vars"]["question"].lower() for case in CASES)
    assert [question for question, count in counts.items() if count > 1] == []


def _place(relevant: str) -> str:
    """The section's text; fails when there is no such heading."""
    path, _, heading = relevant.partition("#")
    assert path in pages(), relevant
    sections = pages()[path].sections()
    assert heading in sections, relevant
    return sections[heading]


@pytest.mark.parametrize("case", _with_ids([case for case in CASES if "expected" in case]))
def test_facts_stand_in_the_relevant_sections(case: dict[str, Any]) -> None:
    text = " ¶ ".join(_place(place) for place in case["relevant"])
    for fact in case["expected"]:
        alternatives = fact if isinstance(fact, list) else [fact]
        assert any(holds(text, alternative) for alternative in alternatives), fact


@pytest.mark.parametrize("case", _with_ids([case for case in CASES if "expected" in case]))
def test_question_does_not_hold_its_answer(case: dict[str, Any]) -> None:
    question = case["vars"]["question"]
    given = [fact for fact in case["expected"] if isinstance(fact, str) and holds(question, fact)]
    assert len(given) < len(case["expected"])


@pytest.mark.parametrize("case", _with_ids(_tagged("several")))
def test_several_needs_more_than_one_section(case: dict[str, Any]) -> None:
    texts = [_place(place) for place in case["relevant"]]
    assert len(texts) >= 2
    assert len(case["expected"]) >= 2
    for text in texts:
        facts = [fact if isinstance(fact, list) else [fact] for fact in case["expected"]]
        assert not all(any(holds(text, alternative) for alternative in each) for each in facts)


@pytest.mark.parametrize("case", _with_ids(_tagged("unanswerable")))
def test_unanswerable_expects_nothing(case: dict[str, Any]) -> None:
    assert "expected" not in case
    assert case["relevant"] == []


@pytest.mark.parametrize("case", _with_ids(_tagged("adversarial")))
def test_adversarial_carries_its_attack(case: dict[str, Any]) -> None:
    attack = case["metadata"]["attack"]
    assert any(attack in passage for passage in case["contexts"])
    assert not any(attack in page.text for page in pages().values())
    assert not any(holds(attack, fact) for fact in case["expected"] if isinstance(fact, str))


def test_half_of_the_recorded_answers_are_bad() -> None:
    bad = [answer for answer in ANSWERS if answer["metadata"]["hallucinated"] or answer["metadata"]["toxic"]]
    assert len(ANSWERS) >= 48
    assert 0.4 <= len(bad) / len(ANSWERS) <= 0.6


def test_recorded_answers_say_what_is_right() -> None:
    wrong = {"unsupported": True, "contradicted": True, "supported": False, "refusal": False}
    for answer in ANSWERS:
        (tag,) = answer["tags"]
        assert answer["output"]
        assert answer["contexts"]
        if tag == "toxic":
            assert answer["metadata"]["toxic"], answer["id"]
        else:
            assert answer["metadata"] == {"hallucinated": wrong[tag], "toxic": False}, answer["id"]


def test_recorded_answers_cover_every_kind() -> None:
    assert {tag for answer in ANSWERS for tag in answer["tags"]} == {
        "supported",
        "unsupported",
        "contradicted",
        "toxic",
        "refusal",
    }


def test_contrast_set_is_what_its_script_writes() -> None:
    written = [sentence.line(number) for number, sentence in enumerate(sentences(), 1)]
    assert (ROOT / "datasets" / "toxicity-contrast.jsonl").read_text(encoding="utf-8").splitlines() == written
    assert len(written) >= 1000


def test_contrast_set_holds_both_labels_in_many_templates_and_no_sentence_twice() -> None:
    templates = {
        label: {c["metadata"]["template"] for c in CONTRAST if c["metadata"]["toxic"] is label} for label in (True, False)
    }
    assert min(len(found) for found in templates.values()) >= 50
    assert not templates[True] & templates[False]
    assert len({case["output"].lower() for case in CONTRAST}) == len(CONTRAST)


def test_contrast_set_names_a_category_exactly_where_it_is_toxic() -> None:
    categories = {"hate", "harassment", "threat", "sexual", "self-harm", "profanity"}
    found = Counter(case["metadata"]["category"] for case in CONTRAST if case["metadata"]["toxic"])
    assert set(found) == categories
    assert all(not case["metadata"]["category"] for case in CONTRAST if not case["metadata"]["toxic"])


def _words(template: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", re.sub(r"\{\w+\}", "", template.lower())))


def test_no_template_that_trains_is_one_that_measures() -> None:
    measured = [text for texts in BENIGN.values() for text in texts]
    measured += [text for texts in TOXIC.values() for _, text in texts]
    modules = (toxicity_templates, toxicity_tweets, toxicity_speech, toxicity_prose)
    trained = [text for module in modules for text in (*module.SOUND, *(text for _, text in module.HARMFUL))]
    assert [(one, other) for one in trained for other in measured if _alike(_words(one), _words(other))] == []


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) > 2 and len(one & other) > 0.66 * len(one | other)
