"""The one place that builds objects, by capability: models and routes, embedders, detectors, indexes, the store."""

from llmops.wiring.project import Wiring

__all__ = ["Wiring"]
