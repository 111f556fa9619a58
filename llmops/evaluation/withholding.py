"""Keeps configured credentials out of what a model is remembered to have said."""

from dataclasses import replace

from llmops.domain.models import Completion
from llmops.settings.secrets import withheld


def storable(completion: Completion) -> Completion:
    """The completion as it is evaluated and stored: what a later run reuses is what this one judged."""
    text = withheld(completion.text)
    contexts = tuple(replace(hit, text=withheld(hit.text)) for hit in completion.contexts)
    same = text == completion.text and contexts == completion.contexts
    return completion if same else replace(completion, text=text, contexts=contexts)
