"""Boosted decision trees, evaluated from plain lists: no library, no pickle."""

from collections.abc import Mapping, Sequence
from typing import Any

from llmops.domain.records import record


@record
class Tree:
    """Nodes in lists of the same length, the root first; each child stands behind its parent."""

    feature: tuple[int, ...]
    """Looked at by the node; -1: a leaf."""
    limit: tuple[float, ...]
    """Up to it a value goes left."""
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]
    """Log-odds that a leaf adds."""

    def __call__(self, features: Sequence[float]) -> float:
        """What the tree adds."""
        node = 0
        while (feature := self.feature[node]) >= 0:
            node = self.left[node] if features[feature] <= self.limit[node] else self.right[node]
        return self.value[node]


@record
class Boosted:
    """A sum of trees."""

    base: float
    trees: tuple[Tree, ...]

    @classmethod
    def read(cls, model: Mapping[str, Any]) -> "Boosted":
        """From JSON: `base`, and `trees` with the fields of `Tree`."""
        trees = [Tree(**{name: tuple(own) for name, own in each.items()}) for each in model["trees"]]
        return cls(float(model["base"]), tuple(trees))

    def log_odds(self, features: Sequence[float]) -> float:
        """Of the positive class."""
        return self.base + sum(tree(features) for tree in self.trees)
