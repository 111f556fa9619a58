"""Every option of `retrieve` on a real index; the cross-encoder is a tiny one with random weights."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import llmops, llmops_here, write

CORPUS = [
    {"id": "tea", "text": "Green tea is brewed at seventy degrees.", "lang": "en", "year": 2020},
    {"id": "tea-again", "text": "Green tea is brewed at seventy degrees Celsius.", "lang": "en", "year": 2021},
    {"id": "tee", "text": "Gruener Tee zieht bei siebzig Grad. Green tea.", "lang": "de", "year": 2020},
    {"id": "coffee", "text": "Coffee is brewed at ninety degrees, never boiling.", "lang": "en", "year": 2020},
]
QUERY = "How hot should green tea be brewed?"


def project(folder: Path, retrieve: str) -> Path:
    return write(
        folder,
        {
            "llmops.yaml": "models:\n  m: {id: embedded/reader-small}\nindexes:\n  drinks:\n"
            "    corpus: {jsonl: drinks.jsonl, metadata: [lang, year]}\n"
            "    chunker: {kind: sentences, max_tokens: 40, overlap: 0}\n"
            f"    retrieve: {retrieve}\n",
            "drinks.jsonl": "".join(f"{json.dumps(row)}\n" for row in CORPUS),
        },
    )


def hits(folder: Path, query: str = QUERY) -> list[dict[str, Any]]:
    done = llmops_here(folder, "rag", "query", query, "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross-encoder")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, num_labels=1
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_where_asks_metadata_and_documents(tmp_path: Path) -> None:
    project(tmp_path, "{where: {metadata: {lang: en, year: 2020}}}")
    assert {hit["source"] for hit in hits(tmp_path)} == {"tea", "coffee"}
    project(tmp_path, "{where: {documents: ['tea*']}}")
    assert {hit["source"] for hit in hits(tmp_path)} == {"tea", "tea-again"}


def test_mmr_leaves_the_repetition_out_and_abstain_everything(tmp_path: Path) -> None:
    project(tmp_path, "{k: 2}")
    assert {hit["source"] for hit in hits(tmp_path)} == {"tea", "tea-again"}
    project(tmp_path, "{k: 2, mmr: 0.3}")
    first, second = [hit["source"] for hit in hits(tmp_path)]
    assert (first in ("tea", "tea-again"), second in ("tea", "tea-again")) == (True, False)
    project(tmp_path, "{abstain: {cosine: 0.4}}")
    assert hits(tmp_path, "The law of maritime salvage") == []
    assert hits(tmp_path)[0]["scores"]["dense"] > 0.4


def test_a_cross_encoder_orders_the_candidates_and_counts_into_the_identity(tmp_path: Path, cross_encoder: Path) -> None:
    from sentence_transformers import CrossEncoder

    project(tmp_path, f"{{rerank: {{name: {cross_encoder}, candidates: 20}}, k: 4}}")
    found = hits(tmp_path)
    expected = CrossEncoder(str(cross_encoder)).predict([(QUERY, hit["text"]) for hit in found])
    assert [hit["scores"]["rerank"] for hit in found] == [pytest.approx(score, abs=1e-4) for score in expected]
    assert list(expected) == sorted(expected, reverse=True)
    project(tmp_path, f"{{rerank: {{name: {cross_encoder}}}, abstain: {{rerank: 0.999}}}}")
    assert hits(tmp_path) == []
    project(tmp_path, "{rerank: {name: ./nowhere}}")
    missing = llmops(tmp_path, "rag", "query", QUERY)
    assert (missing.returncode, "Reranker './nowhere': there is no such folder" in missing.stderr) == (2, True)


def test_models_in_a_folder_of_the_project_are_found_from_each_of_its_folders(tmp_path: Path, cross_encoder: Path) -> None:
    shutil.copytree(cross_encoder, tmp_path / "models/tiny")
    project(tmp_path, "{rerank: {name: models/tiny}, k: 4}\n    embedder: {kind: sentence-transformers, name: models/tiny}")
    (tmp_path / "notes").mkdir()
    found = hits(tmp_path)
    assert hits(tmp_path / "notes") == found
    assert "up to date" in llmops(tmp_path / "notes", "rag", "status").stdout


@pytest.mark.parametrize(
    ("retrieve", "told"),
    [
        ("{abstain: {rerank: 0.5}}", "`abstain` on `rerank` needs `rerank`"),
        ("{abstain: {cosine: 0.5}, dense: 0}", "`abstain` on `cosine` needs `dense` above 0"),
        ("{abstain: {}}", "needs exactly one of `cosine` and `rerank`"),
        ("{max_tokens: 39}", "`retrieve.max_tokens` 39 is below `chunker.max_tokens` 40"),
        ("{rerank: {name: x, candidates: 2}}", "`rerank.candidates` 2 should not be below `k` 5"),
        ("{where: {heading: [x]}}", "Did you mean `headings`?"),
        ("{mmr: 2}", "retrieve.mmr"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path: Path, retrieve: str, told: str) -> None:
    done = llmops(project(tmp_path, retrieve), "rag", "query", QUERY)
    assert done.returncode == 2
    assert told in done.stderr
    assert "llmops.yaml" in done.stderr


def test_a_where_that_leaves_nothing_to_search_is_refused(tmp_path: Path) -> None:
    done = llmops(project(tmp_path, "{where: {metadata: {year: '2020'}}}"), "rag", "query", QUERY)
    assert done.returncode == 2
    assert "`retrieve.where` of the index 'drinks' leaves none of its 4 chunks to search." in done.stderr
