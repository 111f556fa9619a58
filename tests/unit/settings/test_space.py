"""The combinations that a sweep tries."""

from llmops.settings.indexes import IndexSettings
from llmops.settings.positions import Positions
from llmops.settings.space import DEFAULT, combinations


def test_a_budget_of_the_base_leaves_out_no_larger_chunk() -> None:
    base = IndexSettings.model_validate(
        {
            "corpus": {"paths": ["docs/*.md"]},
            "chunker": {"kind": "sentences", "max_tokens": 20, "overlap": 0},
            "embedder": {"kind": "static"},
            "retrieve": {"k": 3, "max_tokens": 95},
        }
    )
    found = combinations(DEFAULT, base, Positions("--space", {}))
    assert found.left_out == ()
    assert len(found.settings) == 12
    assert {(each.retrieve.k, each.retrieve.max_tokens) for each in found.settings} == {(3, None)}
