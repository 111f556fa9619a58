"""Adjusts p-values when several metrics are claimed to have changed.

A gate needs none of this: it passes only when every rule passes, each at its own error rate (Berger 1982).
"""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values that bound the chance of any false claim (Holm 1979), in the order given.

    Raises:
        ValueError: a p-value is not between 0 and 1.
    """
    order = _ascending(p_values)
    adjusted, largest = [0.0] * len(order), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, (len(order) - rank) * p_values[index])
        adjusted[index] = min(1.0, largest)
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values that bound the expected share of false claims (Benjamini and Hochberg 1995), in the order given.

    Raises:
        ValueError: a p-value is not between 0 and 1.
    """
    order = _ascending(p_values)
    adjusted, smallest = [0.0] * len(order), 1.0
    for rank in range(len(order), 0, -1):
        index = order[rank - 1]
        smallest = min(smallest, p_values[index] * len(order) / rank)
        adjusted[index] = smallest
    return tuple(adjusted)


def _ascending(p_values: Sequence[float]) -> list[int]:
    if not all(0 <= p <= 1 for p in p_values):
        raise ValueError(f"p-values must be between 0 and 1, found {list(p_values)}")
    return sorted(range(len(p_values)), key=p_values.__getitem__)
