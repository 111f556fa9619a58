from llmops.domain.cases import Case
from llmops.domain.retrieval import Hit
from llmops.workflows.rag_eval import labelled_queries


def test_a_place_that_is_labelled_twice_counts_once() -> None:
    case = Case("c", {"question": "Where?"}, relevant=("a.md#setup", "a.md#setup", "b.md"))
    found = labelled_queries({"c": (case, "Where?")}).score("c", [Hit("text", "a.md", "Setup")], [1, 3])
    assert (found["recall@1"], found["recall@3"], found["map"]) == (0.5, 0.5, 0.5)
