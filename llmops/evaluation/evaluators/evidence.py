"""What an evaluator reads of a case, its hits and its answer: the key of its outcome, which nothing else changes."""

from collections.abc import Sequence
from typing import Any

from llmops.domain.cases import Case
from llmops.domain.keys import content_hash, node_key
from llmops.domain.retrieval import Hit
from llmops.domain.serial import plain
from llmops.evaluation.datasets import case_json
from llmops.evaluation.evaluators.base import BuiltEvaluator

EVALUATE_VERSION = 1


def evaluate_key(built: BuiltEvaluator, case: Case, hits: Sequence[Hit], output: str) -> str:
    """Key of an outcome: thresholds do not count, they are applied afterwards."""
    read = output if "answer" in built.kind.reads else ""
    identity, evidence = built.identity, evidence_hash(built, case, hits)
    return content_hash(f"evaluate\x00{EVALUATE_VERSION}\x00{identity}\x00{evidence}\x00{read}")


def evidence_hash(built: BuiltEvaluator, case: Case, hits: Sequence[Hit]) -> str:
    """Hash of what an evaluator reads besides the answer."""
    reads, read = built.kind.reads, dict[str, Any]()
    if "case" in reads:
        read["case"] = {**case_json(case), "id": "", "output": None, "evaluators": ()}
    if "question" in reads:
        read["question"] = case.question or ""
        if shown := case.images:
            read["images"] = shown
        if said := case.history:
            read["history"] = said
    if "passages" in reads:
        read["passages"] = [[hit.source, hit.text] for hit in hits]
    if "places" in reads:
        places = [[hit.source, hit.heading, list(hit.also_under), hit.start, hit.end] for hit in hits if not hit.given]
        read["places"] = {"relevant": plain(case.relevant), "hits": places}
    if built.fields:
        read["fields"] = {name: _values(case, name) for name in built.fields}
    return node_key("evidence", EVALUATE_VERSION, read)


def _values(case: Case, name: str) -> list[Any]:
    """The value of a field; none where the case does not have it, which is something else than null."""
    try:
        return [case.field(name)]
    except KeyError:
        return []
