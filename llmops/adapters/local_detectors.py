"""`backend: local:MODEL`: a public classifier of the hub, or one in a folder, as the detector (`local` extra)."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from threading import Lock

from llmops.adapters.labelled_model import LabelledModel, Reading, faulty
from llmops.adapters.sentence_transformers_models import check_extra, source
from llmops.domain.keys import canonical
from llmops.domain.records import record
from llmops.domain.scores import Detection, DetectionRequest, Span
from llmops.scoring.citations import without_markers
from llmops.scoring.grounding import runs
from llmops.scoring.labels import CONTRADICTED, NONE, NOT_FOUND, TOXIC
from llmops.scoring.sentences import Sentence, worded_sentences
from llmops.scoring.windows import stretches

VERSION = 2
SUSPECT = 0.5
"""A sentence or token is marked from this probability of the fault."""
MAX_SPANS = 10
MAX_CHARACTERS = 20_000
"""Longer answers are judged by their beginning: a bound on the work."""


class LocalDetector:
    """Implements `Detector`: NLI and text classifiers read sentences, token classifiers whole answers.

    The value is the model's own probability; nobody calibrated it here.
    """

    def __init__(self, kind: str, name: str, labels: Mapping[str, str]) -> None:
        """Check that the extra is there; the model is loaded by the first request.

        Args:
            kind: `hallucination` or `toxicity`.
            name: a hub name, or a folder with `config.json`, safetensors and a tokenizer.
            labels: the meaning of labels that tell nothing by themselves.

        Raises:
            MissingExtra: the `local` extra is not installed.
        """
        check_extra(f"Backend 'local:{name}'")
        self._kind, self._name, self._labels = kind, name, labels
        self.identity = canonical(["local", VERSION, kind, source(name), dict(labels)])
        self._model: LabelledModel | None = None
        self._lock = Lock()

    def detect(self, requests: Sequence[DetectionRequest]) -> list[Detection]:
        """As the port.

        Raises:
            UsageError: the model is no classifier, or nobody says what its labels mean.
            LlmopsError: the model cannot be loaded.
        """
        with self._lock:
            if self._model is None:
                self._model = LabelledModel(self._kind, self._name, self._labels)
        if self._kind == "toxicity":
            return _toxicity(self._model, requests)
        return [(_by_token if self._model.by_token else _by_sentence)(self._model, request) for request in requests]


@record
class Stretch:
    """Neighbouring sentences of a text."""

    start: int
    text: str


def _cut(model: LabelledModel, text: str, limit: int) -> list[Stretch]:
    found: list[list[Sentence]] = stretches(text[:MAX_CHARACTERS], model.count, limit)
    return [Stretch(each[0].start, text[each[0].start : each[-1].end]) for each in found]


def _toxicity(model: LabelledModel, requests: Sequence[DetectionRequest]) -> list[Detection]:
    """The worst stretch of each text decides."""
    cut = [_cut(model, request.output, model.window - 8) for request in requests]
    owners = [number for number, some in enumerate(cut) for _ in some]
    pieces = [piece for some in cut for piece in some]
    read = zip(owners, pieces, model.read([piece.text for piece in pieces]), strict=True)
    found = [Detection(0.0)] * len(requests)
    for owner, some in groupby(read, key=lambda each: each[0]):
        found[owner] = _worst(model, [(piece, reading) for _, piece, reading in some])
    return found


def _worst(model: LabelledModel, read: Sequence[tuple[Stretch, Reading]]) -> Detection:
    rated = [(float(faulty(model, reading.chances)), piece, reading) for piece, reading in read]
    value = max(chance for chance, _, _ in rated)
    parts = {
        meaning: max(float(reading.chances[number]) for _, _, reading in rated)
        for number, meaning in enumerate(model.meanings)
        if meaning not in (NONE, TOXIC)
    }
    bad = [(piece, _kind(model, reading)) for chance, piece, reading in rated if chance >= SUSPECT]
    spans = tuple(Span(piece.start, piece.start + len(piece.text), kind) for piece, kind in bad[:MAX_SPANS])
    return Detection(value, spans, parts)


def _kind(model: LabelledModel, reading: Reading) -> str:
    """The likeliest category of what is toxic."""
    return max((float(reading.chances[n]), meaning) for n, meaning in enumerate(model.meanings) if meaning != NONE)[1]


def _by_sentence(model: LabelledModel, request: DetectionRequest) -> Detection:
    """Each sentence is held against each stretch of the passages: the best support counts, and the worst sentence decides."""
    text = without_markers(request.output)[:MAX_CHARACTERS]
    sentences = worded_sentences(text)
    evidence = _evidence(model, request, model.window // 2)
    if not sentences:
        return Detection(0.0)
    if not evidence:
        return Detection(1.0, tuple(Span(s.start, s.end, NOT_FOUND) for s in sentences[:MAX_SPANS]))
    pairs = [(piece, sentence.text) for sentence in sentences for _, piece in evidence]
    read = model.read([piece for piece, _ in pairs], [sentence for _, sentence in pairs])
    value, spans = 0.0, []
    for number, sentence in enumerate(sentences):
        own = read[number * len(evidence) : (number + 1) * len(evidence)]
        best = min(range(len(own)), key=lambda n: float(faulty(model, own[n].chances)))
        chance = float(faulty(model, own[best].chances))
        value = max(value, chance)
        if chance >= SUSPECT:
            place, piece = evidence[best]
            spans.append(Span(sentence.start, sentence.end, _fault(model, own[best]), piece[:500], place))
    return Detection(value, tuple(spans[:MAX_SPANS]))


def _fault(model: LabelledModel, reading: Reading) -> str:
    wrong = {meaning: float(reading.chances[n]) for n, meaning in enumerate(model.meanings)}
    return CONTRADICTED if wrong.get(CONTRADICTED, 0.0) > wrong.get(NOT_FOUND, 0.0) else NOT_FOUND


def _by_token(model: LabelledModel, request: DetectionRequest) -> Detection:
    """The whole answer is read with as many passages as fit; a token that some reading supports is supported."""
    text = without_markers(request.output)[:MAX_CHARACTERS]
    evidence = [piece for _, piece in _evidence(model, request, model.window // 3)]
    if not text.strip():
        return Detection(0.0)
    if not evidence:
        return Detection(1.0, (Span(0, len(text), NOT_FOUND),))
    value = 0.0
    marks: list[tuple[int, int]] = []
    for stretch in _cut(model, text, model.window // 3):
        prompts = [_prompt(request.input, group) for group in _together(model, evidence, model.window // 2)]
        read = model.read(prompts, [stretch.text] * len(prompts))
        chances = [min(each) for each in zip(*(faulty(model, reading.chances).tolist() for reading in read), strict=True)]
        value = max(value, *chances, 0.0)
        marks += [(stretch.start + start, stretch.start + end) for start, end in runs(chances, read[0].offsets, SUSPECT)]
    return Detection(value, tuple(Span(start, end, NOT_FOUND) for start, end in marks[:MAX_SPANS]))


def _evidence(model: LabelledModel, request: DetectionRequest, limit: int) -> list[tuple[str, str]]:
    """The passages in pieces of `limit` tokens at most, each with the name of its passage."""
    names = [*request.sources, *(f"passage {n + 1}" for n in range(len(request.sources), len(request.contexts)))]
    return [
        (name, piece.text) for name, text in zip(names, request.contexts, strict=True) for piece in _cut(model, text, limit)
    ]


def _together(model: LabelledModel, pieces: Sequence[str], limit: int) -> list[list[str]]:
    """Neighbouring pieces that fit into one reading."""
    found: list[list[str]] = [[]]
    used = 0
    for piece in pieces:
        tokens = model.count(piece)
        if found[-1] and used + tokens > limit:
            found.append([])
            used = 0
        found[-1].append(piece)
        used += tokens
    return found


def _prompt(question: str, passages: Sequence[str]) -> str:
    """What LettuceDetect's token classifiers were trained to read before an answer (Kovács and Recski 2025)."""
    if not question:
        return f"Summarize the following text:\n{' '.join(passages)}\noutput:"
    listed = "\n".join(f"passage {number}: {text}" for number, text in enumerate(passages, 1))
    return (
        f"Briefly answer the following question:\n{question}\nBear in mind that your response should be strictly based on the"
        f" following {len(passages)} passages:\n{listed}\nIn case the passages do not contain the necessary information to"
        ' answer the question, please reply with: "Unable to answer based on given passages."\noutput:'
    )
