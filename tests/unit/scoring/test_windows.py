"""Windows hold all of an answer and the evidence nearest to it, and fit what an encoder can read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.grounding import FEATURES, SURE, TOKENS, answer_features, runs
from llmops.scoring.sentences import split_sentences
from llmops.scoring.windows import MAX_ANSWER, MAX_EVIDENCE, SPARE_EVIDENCE, windows


def count(text: str) -> int:
    return len(text.split())


SENTENCES = st.lists(
    st.sampled_from(["The boat leaves at nine.", "Tickets cost 12 euros.", "It rained all day in May."]), max_size=120
)


@given(SENTENCES, SENTENCES)
def test_every_sentence_of_the_answer_stands_in_one_window_that_fits(answer: list[str], passage: list[str]) -> None:
    output = " ".join(answer)
    found = windows(output, [" ".join(passage)], count)
    covered = sum(len(split_sentences(window.text)) for window in found)
    assert covered == len(answer)
    for window in found:
        assert output[window.start : window.start + len(window.text)] == window.text
        assert count(window.text) <= MAX_ANSWER
        assert count(window.evidence) <= min(MAX_EVIDENCE, SPARE_EVIDENCE + count(window.text))


def test_the_nearest_sentences_are_kept_in_their_order() -> None:
    filler = " ".join(f"Nothing about number {n} matters here at all." for n in range(200))
    passage = f"The harbour master is called Pilar. {filler} The ferry costs twelve euros on Sundays."
    (window,) = windows("The ferry costs nine euros, says the harbour master.", [passage], count)
    lines = window.evidence.split("\n")
    assert lines[0] == "The harbour master is called Pilar."
    assert lines[-1] == "The ferry costs twelve euros on Sundays."


def test_features_of_an_answer_are_bounded_and_ordered() -> None:
    found = dict(zip(FEATURES, answer_features([0.1, 0.9], [2.0, -3.0], [0.5, 4.0, -1.0], (True, False)), strict=True))
    assert found["bias"] == 1.0
    assert found["worst"] == found["last"] == pytest.approx(math.log(9))
    assert found["two worst"] == found["four worst"] == found["mean"] == pytest.approx(0.0)
    assert found["any"] == pytest.approx(math.log(0.91 / 0.09))
    assert found["sentences"] == pytest.approx(math.log(2))
    assert (found["worst window"], found["worst token"]) == (2.0, 4.0)
    assert found["five worst tokens"] == found["twenty worst tokens"] == found["mean token"] == pytest.approx(3.5 / 3)
    assert found["worst token, by sentences"] == pytest.approx(4.0 * math.log(2))
    assert max(map(abs, answer_features([1.0], [1e9], [-1e9], (True, True)))) < SURE + 2
    assert [value for value in answer_features([0.5], [], [], (False, False)) if value == -SURE] == [-SURE] * len(TOKENS)


def test_marked_tokens_become_stretches() -> None:
    offsets = [(0, 3), (4, 7), (8, 11), (12, 15), (16, 19), (20, 23)]
    assert runs([-1, 2, -1, 2, -1, -1], offsets) == [(4, 15)]
    assert runs([2, -1, -1, 2, 2, -1], offsets) == [(0, 3), (12, 19)]
    assert runs([-1] * 6, offsets) == []
