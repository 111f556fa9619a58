"""Trees add what their leaves say."""

import json

from llmops.scoring.trees import Boosted

STUMP = {"feature": [1, -1, -1], "limit": [0.5, 0, 0], "left": [1, 0, 0], "right": [2, 0, 0], "value": [0, -1.5, 2.0]}


def test_a_value_at_the_limit_goes_left_and_trees_are_summed() -> None:
    model = Boosted.read(json.loads(json.dumps({"base": -1, "trees": [STUMP, STUMP]})))
    assert model.log_odds([9.0, 0.5]) == -4.0
    assert model.log_odds([9.0, 0.6]) == 3.0


def test_a_tree_of_one_leaf_is_a_constant() -> None:
    leaf = {"feature": [-1], "limit": [0], "left": [0], "right": [0], "value": [0.25]}
    assert Boosted.read({"base": 1, "trees": [leaf]}).log_odds([]) == 1.25
