"""Keeps configured credentials out of what a model is remembered to have said."""

from dataclasses import replace

from llmops.domain.models import Completion
from llmops.settings.secrets import withheld


def storable(completion: Completion) -> Completion:
    """The completion as it is evaluated and stored: what a later run reuses is what this one judged."""
    contexts = tuple(
        replace(hit, text=withheld(hit.text), source=withheld(hit.source), heading=withheld(hit.heading))
        for hit in completion.contexts
    )
    model = completion.model and withheld(completion.model)
    stored = replace(completion, text=withheld(completion.text), contexts=contexts, model=model)
    return completion if stored == completion else stored
