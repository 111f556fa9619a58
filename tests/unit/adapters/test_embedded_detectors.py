"""The embedded detectors tell what they are for, and survive what strangers send."""

import json
from functools import cache
from pathlib import Path

import pytest

from llmops.adapters import embedded_detectors
from llmops.adapters.embedded_detectors import EmbeddedDetector
from llmops.adapters.weights import packaged
from llmops.domain.errors import LlmopsError, UsageError
from llmops.domain.scores import DetectionRequest
from llmops.scoring.groundedness import MAX_SENTENCES

PASSAGES = (
    "The library opens at 9 am on weekdays and closes at 8 pm. On Saturdays it closes at 4 pm.",
    "Members may borrow up to twelve books for three weeks.",
)


detector = cache(EmbeddedDetector)
"""Its weights are read once."""


def hallucination(output: str, contexts: tuple[str, ...] = PASSAGES):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return detector("hallucination").detect([DetectionRequest(output, contexts, ("hours.md", "loans.md"))])[0]


def toxicity(output: str) -> float:
    return detector("toxicity").detect([DetectionRequest(output)])[0].value


def test_a_copied_sentence_is_supported_and_an_invented_one_is_not() -> None:
    copied = hallucination("Members may borrow up to twelve books for three weeks.")
    invented = hallucination("The mayor founded a swimming club in Lisbon together with seventy astronauts.")
    assert copied.value < 0.3
    assert copied.spans == ()
    assert invented.value > 0.5
    assert invented.spans


def test_a_negation_that_is_copied_word_for_word_is_supported() -> None:
    passage = "The library opens at 9 am on weekdays. Study rooms are not available on Saturdays. Cards are free for residents."
    copied = "Study rooms are not available on Saturdays. [1]"
    assert hallucination(copied, (passage,)).value == 0.0
    assert hallucination(f"{copied} They cost 20 euros.", (passage,)).value > 0.5


def test_an_invention_after_hundreds_of_copied_sentences_is_no_copy() -> None:
    passage = " ".join(f"Room {number} opens at noon." for number in range(MAX_SENTENCES + 20))
    assert hallucination(passage, (passage,)).value == 0.0
    assert hallucination(f"{passage} Penguins founded the archive.", (passage,)).value > 0.0


def test_an_insult_after_many_friendly_words_is_found() -> None:
    assert toxicity("Your parcel will arrive at noon. " * 900 + "You are a stupid idiot.") > 0.5


def test_a_changed_number_raises_the_probability_and_is_named() -> None:
    right = hallucination("On Saturdays it closes at 4 pm.")
    wrong = hallucination("On Saturdays the library club closes at 7 pm in 1987.")
    assert wrong.value > right.value
    assert wrong.spans[0].kind == "number differs"
    assert wrong.spans[0].source == "hours.md"


def test_a_citation_is_no_claim() -> None:
    plain, cited = (hallucination(text) for text in ("On Saturdays it closes at 4 pm.", "On Saturdays it closes at 4 pm. [1]"))
    assert cited.value == pytest.approx(plain.value, abs=0.02)
    assert hallucination("It closes at 7 pm on Saturdays [7, 9].").spans[0].end <= 23


def test_spans_are_offsets_into_the_answer() -> None:
    answer = "Members may borrow up to twelve books. Penguins founded the archive of Reykjavik in 1804."
    spans = hallucination(answer).spans
    assert [answer[s.start : s.end] for s in spans] == ["Penguins founded the archive of Reykjavik in 1804."]


def test_without_passages_every_claim_is_not_found() -> None:
    found = hallucination("The library is open.", ())
    assert found.value == 1.0
    assert [span.kind for span in found.spans] == ["not found"]


@pytest.mark.parametrize(
    "text",
    [
        "She is a lesbian.",
        "My Muslim neighbour bakes wonderful bread.",
        "Please never call anybody a moron.",
        "He was fired for writing 'immigrants are vermin' in the chat.",
        "I do not hate Muslims, and I never did.",
        "We're queer and proud of it.",
        "To kill the worker, press Control and C.",
        "The library opens at nine.",
    ],
)
def test_identity_quotation_negation_and_mild_words_are_not_toxic(text: str) -> None:
    assert toxicity(text) < 0.5


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Shut up, you stupid piece of shit, you are a fucking moron.", "harassment"),
        ("you fuck1ng m0r0n", "harassment"),
        ("Immigrants are vermin and should all be thrown out.", "hate"),
        ("I will find you and kill you tonight.", "threat"),
        ("Just kill yourself, nobody will miss you.", "self-harm"),
        ("She moaned while he pushed his cock into her.", "sexual"),
    ],
)
def test_harm_is_found_with_its_category(text: str, category: str) -> None:
    found = detector("toxicity").detect([DetectionRequest(text)])[0]
    assert found.value > 0.5
    assert found.parts[category] == max(found.parts.values())
    assert all(part <= found.value for part in found.parts.values())


def test_the_offending_words_are_marked_and_else_the_sentence() -> None:
    text = "The soup was good. You are a disgusting id1ot and everybody hates you."
    spans = detector("toxicity").detect([DetectionRequest(text)])[0].spans
    assert {"disgusting", "id1ot"} <= {text[span.start : span.end] for span in spans}
    polite = "It would be best for all of us if people like you had never been born."
    (span,) = detector("toxicity").detect([DetectionRequest(polite)])[0].spans
    assert polite[span.start : span.end] == polite


def test_a_harm_at_the_end_of_a_long_text_is_found_and_texts_do_not_change_each_other() -> None:
    sound = "The library opens at nine and closes at eight. " * 40
    end = "Kill yourself, you worthless moron."
    one, two, three = detector("toxicity").detect([DetectionRequest(t) for t in (sound, sound + end, end)])
    assert one.value < 0.5 < two.value
    assert three.value == pytest.approx(toxicity(end), abs=1e-5)


@pytest.mark.parametrize("text", ["", "   ", "\ud800", "\x00\x1b[31m", "a" * 1_000_000, "!? " * 1000])
@pytest.mark.parametrize("kind", ["hallucination", "toxicity"])
def test_hostile_text_gets_a_probability(kind: str, text: str) -> None:
    value = detector(kind).detect([DetectionRequest(text, ("A passage.",))])[0].value
    assert 0.0 <= value <= 1.0


def test_an_unknown_kind_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="spelling"):
        EmbeddedDetector("spelling")


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = packaged("detectors") / "hallucination"
    folder = tmp_path / "hallucination"
    folder.mkdir()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    model = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**model, "answer": [0, 0, 0, 0]}))
    monkeypatch.setattr(embedded_detectors, "packaged", lambda _: tmp_path)
    with pytest.raises(LlmopsError, match="was changed"):
        EmbeddedDetector("hallucination").detect([DetectionRequest("Members borrow books.", PASSAGES)])


def test_the_identity_names_the_weights() -> None:
    assert EmbeddedDetector("hallucination").identity != EmbeddedDetector("toxicity").identity


def test_a_rude_sentence_does_not_hide_among_friendly_ones() -> None:
    text = "Thank you for asking. The soup was good. You are a stupid idiot. Have a nice day!"
    rude, found = text.index("You are"), detector("toxicity").detect([DetectionRequest(text)])[0]
    assert found.value >= 0.5
    assert all(rude <= span.start < span.end <= text.index("Have") for span in found.spans)
    assert found.spans
    assert toxicity(text.replace("You are a stupid idiot. ", "")) < 0.1


def test_toxicity_does_not_depend_on_what_is_read_beside_it() -> None:
    texts = ["You are an idiot.", "Thank you, that was kind of you and of everybody who helped us last week.", "Go away!"]
    texts += ["You are an angel.", "We are an army.", "You are a genius."]  # as long as the first
    requests = [DetectionRequest(text) for text in texts]
    toxic = detector("toxicity")
    assert toxic.detect(requests) == [toxic.detect([request])[0] for request in requests]
