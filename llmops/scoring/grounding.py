"""From what is known of an answer's sentences and tokens to one probability that something in it is unsupported."""

import math
from collections.abc import Sequence

FEATURES = ("bias", "worst sentence", "mean sentence", "sentences", "window", "worst token", "worst tokens", "mean token")
"""Order of the numbers in `answer_features`."""

TOP_TOKENS = 5
SURE = 12.0
"""Log-odds beyond which nothing more is told apart."""


def answer_features(
    chances: Sequence[float], window_logits: Sequence[float], token_logits: Sequence[float]
) -> tuple[float, ...]:
    """What decides about a whole answer, ordered as `FEATURES`.

    Args:
        chances: probability of each sentence of being unsupported, by its words; at least one.
        window_logits: log-odds of each window of holding something unsupported.
        token_logits: log-odds of each token of being unsupported.
    """
    odds = [log_odds(chance) for chance in (max(chances), sum(chances) / len(chances))]
    tokens = sorted((_bounded(each) for each in token_logits), reverse=True) or [-SURE]
    top = tokens[:TOP_TOKENS]
    windows = max((_bounded(each) for each in window_logits), default=-SURE)
    return (1.0, *odds, math.log(len(chances)), windows, tokens[0], sum(top) / len(top), sum(tokens) / len(tokens))


def log_odds(chance: float) -> float:
    """Of a probability, bounded."""
    return math.log(max(1e-6, chance) / max(1e-6, 1 - chance))


def _bounded(logit: float) -> float:
    return max(-SURE, min(SURE, logit))


def runs(token_logits: Sequence[float], offsets: Sequence[tuple[int, int]], limit: float = 0.0) -> list[tuple[int, int]]:
    """Characters of the stretches whose tokens lie above a limit; single tokens between two of them join them.

    Args:
        token_logits: log-odds of each token.
        offsets: characters of each token.
        limit: log-odds.
    """
    marked = [logit > limit for logit in token_logits]
    found: list[tuple[int, int]] = []
    last = -2
    for number, is_marked in enumerate(marked):
        if not is_marked:
            continue
        start, end = offsets[number]
        if found and number - last <= 2:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
        last = number
    return found
