"""Names that are not ours: those of other tools, in whichever spelling, and slips of the fingers."""

import pytest

from llmops.evaluation.evaluators.catalogue import NAMES
from llmops.settings.validation import close_to, nearest


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Faithfulness", "hallucination"),
        ("FaithfulnessMetric", "hallucination"),
        ("context_recall", "context-recall"),
        ("ContextualRecallMetric", "context-recall"),
        ("contextual-relevancy", "context-relevance"),
        ("ResponseRelevancy", "answer-relevance"),
        ("factual_correctness", "correctness"),
        ("GEval", "criteria"),
        ("exact_match", "equals"),
        ("JsonSchema", "json-schema"),
        ("toxcity", "toxicity"),
    ],
)
def test_an_evaluator_of_another_tool_is_answered_with_ours(name: str, meant: str) -> None:
    assert close_to(name, NAMES) == f"Did you mean `{meant}`?"


def test_a_name_of_another_tool_is_no_hint_where_its_counterpart_has_no_place() -> None:
    assert close_to("Faithfulness", ["equals", "regex"]) is None
    assert nearest("Faithfulness", ["regex", "equals"]) == "Valid: `equals`, `regex`."
    assert nearest("Faithfulness", []) is None
