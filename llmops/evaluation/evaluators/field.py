"""One field of an answer that is JSON, evaluated in place of the whole answer."""

import json
from dataclasses import replace

from llmops.domain.keys import canonical
from llmops.domain.ports import Evaluator
from llmops.domain.scores import Failure, Outcome, Sample, Score
from llmops.scoring.json_text import NotJson, pointed_places, pointed_text


async def measure_field(evaluator: Evaluator, pointer: str, sample: Sample) -> Outcome:
    """The outcome of a field; a failure where the answer does not have it. Spans are those of the whole answer."""
    answer = sample.completion.text
    try:
        text = pointed_text(answer, pointer)
    except NotJson as error:
        return Failure(f"the answer has no `{pointer}`, because it is not JSON: {error}")
    except LookupError:
        return Failure(f"the answer has no `{pointer}`")
    outcome = await evaluator.evaluate(replace(sample, completion=replace(sample.completion, text=text)))
    if not isinstance(outcome, Score) or not outcome.spans:
        return outcome
    places = pointed_places(answer, pointer)
    spans = (replace(span, start=places[span.start], end=places[span.end]) for span in outcome.spans if places)
    return replace(outcome, spans=tuple(spans))


def identity_of_field(identity: str, pointer: str) -> str:
    """The identity of an evaluator that reads a field, made of its own: `of` beside its own options."""
    kind, version, options, *parts = json.loads(identity)
    return canonical([kind, version, {**options, "of": pointer}, *parts])
