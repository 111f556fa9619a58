"""From what is known of an answer's sentences and tokens to one probability that something in it is unsupported."""

import math
from collections.abc import Sequence

SENTENCES = ("bias", "worst", "two worst", "four worst", "mean", "any", "last", "sentences")
"""Order of the numbers in `sentence_features`."""

TOKENS = ("worst window", "worst token", "five worst tokens", "twenty worst tokens", "mean token")
MISSING = ("a number that no passage holds", "a name that no passage holds")
_DIRECT = (*SENTENCES, *TOKENS, *MISSING)
FEATURES = (*_DIRECT, *(f"{name}, by sentences" for name in _DIRECT[1:]))
"""Order of the numbers in `answer_features`: the second half says how a fault shows in long answers as against short ones."""

SURE = 12.0
"""Log-odds beyond which nothing more is told apart."""


def sentence_features(chances: Sequence[float]) -> tuple[float, ...]:
    """What the sentences of an answer say of it, ordered as `SENTENCES`.

    Args:
        chances: probability of each sentence of being unsupported; at least one.
    """
    odds = [log_odds(chance) for chance in chances]
    ranked = sorted(odds, reverse=True)
    worst = (sum(ranked[:size]) / len(ranked[:size]) for size in (1, 2, 4))
    any_of = 1 - math.prod(1 - chance for chance in chances)
    return (1.0, *worst, sum(odds) / len(odds), log_odds(any_of), odds[-1], math.log(len(odds)))


def answer_features(
    chances: Sequence[float], window_logits: Sequence[float], token_logits: Sequence[float], missing: tuple[bool, bool]
) -> tuple[float, ...]:
    """What decides about a whole answer, ordered as `FEATURES`.

    Args:
        chances: probability of each sentence of being unsupported, by its words; at least one.
        window_logits: log-odds of each window of holding something unsupported.
        token_logits: log-odds of each token of being unsupported.
        missing: as `MISSING`.
    """
    tokens = sorted((_bounded(each) for each in token_logits), reverse=True) or [-SURE]
    window = max((_bounded(each) for each in window_logits), default=-SURE)
    means = (sum(tokens[:size]) / len(tokens[:size]) for size in (1, 5, 20, len(tokens)))
    found = (*sentence_features(chances), window, *means, *map(float, missing))
    return (*found, *(each * found[SENTENCES.index("sentences")] for each in found[1:]))


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
