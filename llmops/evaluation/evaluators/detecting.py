"""What evaluators that ask a detector share: its backends, the meanings of its labels, and its findings in words."""

from collections.abc import Mapping, Sequence

from llmops.domain.scores import Span
from llmops.evaluation.evaluators.base import WrongOption
from llmops.evaluation.evaluators.excerpts import excerpt
from llmops.settings.secrets import masked_parts

EMBEDDED = "embedded"
LOCAL = "local:"
"""Opens the name of a backend that is a model of the hub or a folder."""


def is_detector(backend: str) -> bool:
    """Whether a backend is a classifier: the one in the package, or a local model."""
    return backend == EMBEDDED or (backend.startswith(LOCAL) and len(backend) > len(LOCAL))


def check_labels(labels: Mapping[str, str], *backends: str) -> None:
    """Refuse meanings of labels that no model has.

    Raises:
        WrongOption: none of the backends is a local model.
    """
    if labels and not any(backend.startswith(LOCAL) for backend in backends):
        raise WrongOption("labels", "only a local model has labels: `backend: local:MODEL`.")


def described(output: str, spans: Sequence[Span]) -> str:
    """The first findings, each as the part of the answer it is about and what is wrong with it."""
    told = [f"{excerpt(*masked_parts(output, (span.start, span.end)))} {span.kind}" for span in spans[:3]]
    return "; ".join(told) + (f"; {len(spans) - 3} more" if len(spans) > 3 else "")
