"""Keeps configured credentials out of what a model is remembered to have said."""

from dataclasses import replace

from llmops.domain.models import Completion
from llmops.settings.secrets import unstorable, withheld


def storable(completion: Completion) -> Completion:
    """The completion as it is evaluated and stored: what a later run reuses is what this one judged."""
    secrets = unstorable()
    if not secrets:
        return completion
    contexts = tuple(
        replace(
            hit,
            text=withheld(hit.text, secrets),
            source=withheld(hit.source, secrets),
            heading=withheld(hit.heading, secrets),
        )
        for hit in completion.contexts
    )
    model = completion.model and withheld(completion.model, secrets)
    stored = replace(completion, text=withheld(completion.text, secrets), contexts=contexts, model=model)
    return completion if stored == completion else stored
