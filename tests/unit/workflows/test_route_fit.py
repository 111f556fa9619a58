"""What a fitted router is said to keep is not told by the answers that chose how much a dollar weighs."""

import numpy as np

from llmops.workflows.route_fit import Least, cross_served

COSTS = np.array([0.1, 1.0])


def test_the_quality_that_is_told_is_the_one_that_is_served() -> None:
    draw, over, requests = np.random.default_rng(9), [], 60
    for _ in range(200):
        small = 1 / (1 + np.exp(1.2 * draw.normal(0, 1, requests) - 1.0))
        chance = np.stack([small, np.full(requests, 0.92)], axis=1)
        predicted = np.clip(chance + np.stack([draw.normal(0, 0.08, requests), np.zeros(requests)], axis=1), 0, 1)
        quality = (draw.random(chance.shape) < chance).astype(float)
        served = cross_served(predicted, quality, COSTS, Least(0.95, 1), draw.integers(0, 5, requests).astype(float))
        rows = np.arange(requests)
        over.append(quality[rows, served].mean() - chance[rows, served].mean())
    assert abs(np.mean(over)) < 0.01  # one weight for all requests tells up to 0.02 too much
