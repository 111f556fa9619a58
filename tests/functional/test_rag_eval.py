"""Retrieval is measured on labelled sets, with figures that can be checked by hand."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import llmops, write
from typer.testing import CliRunner

from llmops.cli import progress
from llmops.cli.main import app

TEXTS = {
    "d1": "The lighthouse of the northern cape was built in 1873.",
    "d2": "Herring is smoked over beech wood in the old harbour.",
    "d3": "The ferry to the island leaves at noon on Sundays.",
    "d4": "Knitting wool comes from sheep that graze on the dunes.",
}
QUERIES = {"q1": "When was the lighthouse built?", "q2": "Which wood smokes herring?", "q3": "zzz qqq xxx", "q4": "not judged"}
SYNONYMS = {
    "automobile": "car",
    "physician": "doctor",
    "infant": "baby",
    "ocean": "sea",
    "feline": "cat",
    "canine": "dog",
    "monarch": "king",
    "dwelling": "house",
    "beverage": "drink",
    "attorney": "lawyer",
    "timber": "wood",
    "footwear": "shoes",
}
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t2\nq2\td2\t1\nq2\td9\t1\nq3\td4\t0\n"


def beir(folder: Path) -> Path:
    return write(
        folder,
        {
            "corpus.jsonl": "".join(json.dumps({"_id": k, "title": "", "text": t}) + "\n" for k, t in TEXTS.items()),
            "queries.jsonl": "".join(json.dumps({"_id": k, "text": t}) + "\n" for k, t in QUERIES.items()),
            "qrels/test.tsv": QRELS,
            "qrels/train.tsv": "broken\n",
        },
    )


def measured(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = llmops(folder, "rag", "eval", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout)["configurations"])


def test_a_beir_folder_is_measured_without_a_project(tmp_path: Path) -> None:
    beir(tmp_path / "set")
    default, bm25 = measured(tmp_path, "--beir", "set", "-c", "default", "-c", "bm25", "-k", "1", "-k", "2")
    assert (default["name"], default["queries"], default["documents"], default["chunks"]) == ("default", 2, 4, 4)
    # q1 finds its only document first; q2 finds one of its two, the other is not in the corpus.
    assert default["metrics"]["recall@1"] == bm25["metrics"]["recall@1"] == pytest.approx((1 + 0.5) / 2)
    assert default["metrics"]["ndcg@2"] == pytest.approx((1 + 1 / (1 + 1 / 1.584962500721156)) / 2)
    assert default["metrics"]["mrr"] == 1.0
    assert default["metrics"]["map"] == pytest.approx((1 + 0.5) / 2)
    assert default["intervals"]["recall@1"][0] <= 0.75 <= default["intervals"]["recall@1"][1]
    assert 0 < default["timings"]["query_p50_ms"] <= default["timings"]["query_p95_ms"]
    assert list(default["stages_ms"]) == ["embed", "dense", "bm25", "pack"]
    assert list(bm25["stages_ms"]) == ["bm25", "pack"]
    assert sum(default["stages_ms"].values()) <= default["timings"]["query_p95_ms"]
    assert default["unknown"] == bm25["unknown"] == ["d9"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]


def test_an_index_over_a_beir_folder_is_measured_on_its_judgements(tmp_path: Path) -> None:
    beir(tmp_path / "set")
    write(tmp_path, {"llmops.yaml": "models:\n  m: {id: embedded/reader-small}\nindexes:\n  i: {corpus: {beir: set}}\n"})
    (own,), (given,) = measured(tmp_path, "i"), measured(tmp_path, "--beir", "set")
    assert own["queries"] == 2
    assert own["metrics"] == given["metrics"]


def test_the_labelled_cases_of_a_project_are_measured(tmp_path: Path) -> None:
    case = {"id": "c1", "vars": {"question": QUERIES["q1"]}, "relevant": ["docs/d1.md"]}
    files = {f"docs/{name}.md": f"# {name}\n\n{text}\n" for name, text in TEXTS.items()}
    files["llmops.yaml"] = "models:\n  m: {id: embedded/reader-small}\nindexes:\n  i: {corpus: {paths: ['docs/*.md']}}\n"
    files["evals/e.yaml"] = "dataset: datasets/d.jsonl\nindex: i\nprompts: [p]\ntargets: [m]\nevaluators: [retrieval]\n"
    files["datasets/d.jsonl"] = json.dumps(case) + "\n" + json.dumps({**case, "id": "c2", "relevant": None}) + "\n"
    write(tmp_path, files)
    (found,) = measured(tmp_path)
    assert (found["queries"], found["metrics"]["recall@1"], found["metrics"]["map"]) == (1, 1.0, 1.0)
    narrow = llmops(tmp_path, "rag", "eval", "i", *(f"-c{each}" for each in ("default", "bm25", "dense")), COLUMNS="60").stdout
    for part, counts in zip(narrow.split("\nDifference from default"), ([2, 2], [2, 0]), strict=True):
        assert [part.count(f"\n{name}") for name in ("recall@1 ", "mrr ")] == counts
    assert "…" not in narrow
    shown = llmops(tmp_path, "rag", "eval", "i", "-c", "bm25").stdout
    assert "ndcg@10" in shown
    assert (found["unknown"], "name nothing" in shown) == ([], False)
    assert "1 query, 4 documents, 4 chunks" in shown


def test_configurations_are_held_against_the_first(tmp_path: Path) -> None:
    """Queries share no word with what they ask for, so that BM25 finds nothing and the vectors nearly all."""
    files = {
        "corpus.jsonl": "".join(json.dumps({"_id": word, "title": "", "text": word}) + "\n" for word in SYNONYMS),
        "queries.jsonl": "".join(json.dumps({"_id": word, "text": asked}) + "\n" for word, asked in SYNONYMS.items()),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\n" + "".join(f"{word}\t{word}\t1\n" for word in SYNONYMS),
    }
    write(tmp_path / "set", files)
    write(tmp_path, {"llmops.yaml": "models:\n  m: {id: embedded/reader-small}\nindexes:\n  i: {corpus: {beir: set}}\n"})
    for source in (("i",), ("--beir", "set")):
        arguments = (*source, "-c", "bm25", "-c", "dense", "-c", "bm25", "-k", "1")
        done = json.loads(llmops(tmp_path, "rag", "eval", *arguments, "--json").stdout)
        bm25, dense, _ = done["configurations"]
        found = [each for each in done["differences"] if each["metric"] == "recall@1"]
        assert [(each["name"], each["against"], each["queries"]) for each in found] == [
            ("dense", "bm25", len(SYNONYMS)),
            ("bm25", "bm25", len(SYNONYMS)),
        ]
        assert found[0]["difference"] == pytest.approx(dense["metrics"]["recall@1"] - bm25["metrics"]["recall@1"])
        assert [each["verdict"] for each in found] == ["better", "not told apart"]
        assert {each["metric"] for each in done["differences"]} == set(bm25["metrics"])
        shown = llmops(tmp_path, "rag", "eval", *arguments).stdout
        title = f"Difference from bm25, paired over {len(SYNONYMS)} queries, with its 95 % interval"
        _, table = shown.split(f"\n{title}; verdicts allow for 2 comparisons (Holm):\n")
        low, high = found[0]["interval"]
        told = f"{found[0]['difference']:+.3f} [{low:+.3f}, {high:+.3f}]  better"
        assert [line for line in table.splitlines() if line.startswith("recall@1") and told in line]
        assert "Difference" not in llmops(tmp_path, "rag", "eval", *source).stdout
        assert json.loads(llmops(tmp_path, "rag", "eval", *source, "--json").stdout)["differences"] == []


def test_progress_counts_documents_chunks_and_queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    told = CliRunner().invoke(app, ["rag", "eval", "--beir", str(beir(tmp_path))]).stderr.splitlines()
    assert [line.partition(", about")[0] for line in told] == [
        *(f"cutting beir: {number} of 4" for number in (1, 2, 3, 4)),
        "embedding beir: 4 of 4",
        *(f"queries of default: {number} of 2" for number in (1, 2)),
    ]


@pytest.mark.parametrize("command", ["eval", "sweep"])
def test_cases_without_labels_are_told_by_their_dataset_with_a_way_that_exists(tmp_path: Path, command: str) -> None:
    case = {"id": "c1", "vars": {"question": QUERIES["q1"]}}
    files = {"docs/d1.md": f"# d1\n\n{TEXTS['d1']}\n", "datasets/own.jsonl": json.dumps(case) + "\n"}
    files["llmops.yaml"] = "models:\n  m: {id: embedded/reader-small}\nindexes:\n  i: {corpus: {paths: ['docs/*.md']}}\n"
    write(tmp_path, files)
    for arguments, source in (((), "a suite over the index 'i'"), (("--dataset", "datasets/own.jsonl"), "datasets/own.jsonl")):
        done = llmops(tmp_path, "rag", command, *arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: No case of {source} has `relevant`.\n")
        assert "have some made: llmops rag make-dataset i --out datasets/made.jsonl; " in done.stderr
        assert "or have a judge read the hits: llmops rag eval i --judge MODEL" in done.stderr


def test_labels_by_heading_are_met_whatever_the_chunker(tmp_path: Path) -> None:
    guide = "# Guide\n\n" + "".join(f"## About {name}\n\n{text}\n\n" for name, text in TEXTS.items())
    code = "".join(f'def about_{name}():\n    return "{text}"\n\n\n' for name, text in TEXTS.items())
    labels = {
        "q1": ["docs/guide.md#about-d1", "src/guide.py#about_d1"],
        "q2": ["docs/guide.md#about-d2", "src/guide.py#about_d2"],
    }
    rows = [{"id": key, "vars": {"question": QUERIES[key]}, "relevant": places} for key, places in labels.items()]
    kinds = ("markdown", "recursive", "sentences", "tokens", "semantic", "code")
    chunkers = "".join(f"  {kind}: {{corpus: {{paths: ['*/guide.*']}}, chunker: {{kind: {kind}}}}}\n" for kind in kinds)
    files = {"docs/guide.md": guide, "src/guide.py": code, "d.jsonl": "".join(f"{json.dumps(row)}\n" for row in rows)}
    write(tmp_path, {**files, "llmops.yaml": f"models:\n  m: {{id: embedded/reader-small}}\nindexes:\n{chunkers}"})
    found = {kind: measured(tmp_path, kind, "--dataset", "d.jsonl", "-k", "5")[0] for kind in kinds}
    assert {kind: (each["metrics"]["recall@5"], each["unknown"]) for kind, each in found.items()} == dict.fromkeys(
        kinds, (1.0, [])
    )


def test_labels_that_name_nothing_are_told(tmp_path: Path) -> None:
    files = {f"docs/{name}.md": f"# {name}\n\n{text}\n" for name, text in TEXTS.items()}
    files["llmops.yaml"] = "models:\n  m: {id: embedded/reader-small}\nindexes:\n  i: {corpus: {paths: ['docs/*.md']}}\n"
    relevant = ["docs/d1.md#d1", "./docs/d2.md", "docs/d3.md:0-20", "docs/d1.md#d9", "docs/d9.md", "docs/d2.md:900-950"]
    files["labels.jsonl"] = json.dumps({"id": "c", "vars": {"question": QUERIES["q1"]}, "relevant": relevant})
    write(tmp_path, files)
    (found,) = measured(tmp_path, "i", "--dataset", "labels.jsonl")
    assert found["unknown"] == relevant[3:]
    shown = llmops(tmp_path, "rag", "eval", "i", "--dataset", "labels.jsonl").stdout
    assert f"3 labels name nothing in the index and count as not found: {', '.join(relevant[3:])}\n" in shown


def test_a_suite_and_a_sweep_tell_labels_that_name_no_document(tmp_path: Path) -> None:
    files = {f"docs/{name}.md": f"# {name}\n\n{text}\n" for name, text in TEXTS.items()}
    files["prompts/p/prompt.j2"] = "{{ question }}"
    files["llmops.yaml"] = "models:\n  m: {id: embedded/reader-small}\nindexes:\n  i: {corpus: {paths: ['docs/*.md']}}\n"
    files["evals/e.yaml"] = "dataset: cases.jsonl\nindex: i\nprompts: [p]\ntargets: [m]\nevaluators: [retrieval]\n"
    places = ["./docs/d1.md", "docs/d9.md#d9", "docs/d2.md#d2", "d3.md:0-9", *["docs/d1.md"] * 8]
    cases = [{"id": str(n), "vars": {"question": QUERIES["q1"]}, "relevant": [place]} for n, place in enumerate(places)]
    files["cases.jsonl"] = "".join(json.dumps(case) + "\n" for case in cases)
    write(tmp_path, files)
    (told,) = (run["notes"] for run in json.loads(llmops(tmp_path, "eval", "--json").stdout)["runs"])
    assert told == ["2 labels name no document of the index i and count as not found: docs/d9.md#d9, d3.md:0-9"]
    write(tmp_path, {"space.yaml": "chunker: {max_tokens: [100]}\n"})
    swept = llmops(tmp_path, "rag", "sweep", "i", "--space", "space.yaml").stdout
    assert "2 labels name no document of the corpus and count as not found: docs/d9.md#d9, d3.md:0-9\n" in swept
    assert json.loads(llmops(tmp_path, "eval", "--limit", "1", "--json").stdout)["runs"][0]["notes"] == []


def test_labels_that_are_spans_are_measured_by_their_characters(tmp_path: Path) -> None:
    files = {f"docs/{name}.md": f"# {name}\n\n{text}\n" for name, text in TEXTS.items()}
    files["llmops.yaml"] = "models:\n  m: {id: embedded/reader-small}\nindexes:\n  i: {corpus: {paths: ['docs/*.md']}}\n"
    spans = {"q1": "docs/d1.md:6-16", "q2": "docs/d2.md:0-16"}  # the second begins with the heading, which no chunk holds
    rows = [{"id": key, "vars": {"question": QUERIES[key]}, "relevant": [span]} for key, span in spans.items()]
    files["spans.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows)
    rows.append({"id": "heading", "vars": {"question": QUERIES["q1"]}, "relevant": ["docs/d1.md#d1", spans["q1"]]})
    files["mixed.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows)
    write(tmp_path, files)
    (found,) = measured(tmp_path, "i", "--dataset", "spans.jsonl", "-k", "1")
    first, second = len(TEXTS["d1"]), len(TEXTS["d2"])
    assert found["metrics"]["span_recall@1"] == pytest.approx((1 + 10 / 16) / 2)
    assert found["metrics"]["span_precision@1"] == pytest.approx((10 / first + 10 / second) / 2)
    assert found["metrics"]["span_iou@1"] == pytest.approx((10 / first + 10 / (second + 6)) / 2)
    low, high = found["intervals"]["span_recall@1"]
    assert low <= found["metrics"]["span_recall@1"] <= high
    (mixed,) = measured(tmp_path, "i", "--dataset", "mixed.jsonl", "-k", "1")
    assert mixed["queries"] == 3
    assert mixed["metrics"]["span_iou@1"] == found["metrics"]["span_iou@1"]
    assert "span_iou@1" in llmops(tmp_path, "rag", "eval", "i", "--dataset", "spans.jsonl", "-k", "1").stdout


@pytest.mark.parametrize(
    ("edit", "arguments", "told"),
    [
        ({}, ("--beir", "none"), "none: no such folder."),
        ({"bare/corpus.jsonl": ""}, ("--beir", "bare"), "bare: holds no relevance judgements"),
        ({"set/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\n"}, ("--beir", "set"), "set/qrels/test.tsv:2"),
        ({"set/queries.jsonl": '{"_id": "q1"}\n'}, ("--beir", "set"), "set/queries.jsonl:1"),
        ({"set/qrels/test.tsv": "q1\td1\t0\n"}, ("--beir", "set"), "has a relevant document"),
        ({}, ("--beir", "set", "-c", "bm52"), "Valid: `default`, `bm25`, `dense`"),
        ({}, ("--beir", "set", "manual"), "brings its own"),
        ({}, ("manual",), "llmops init"),
    ],
)
def test_what_cannot_be_measured_is_told(tmp_path: Path, edit: dict[str, str], arguments: tuple[str, ...], told: str) -> None:
    beir(tmp_path / "set")
    write(tmp_path, edit)
    done = llmops(tmp_path, "rag", "eval", *arguments)
    assert done.returncode == 2, done.stdout
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_deleted_vector_store_is_told_and_repaired(tmp_path: Path) -> None:
    files = {f"docs/{name}.md": f"# {name}\n\n{text}\n" for name, text in TEXTS.items()}
    files["llmops.yaml"] = "models:\n  m: {id: embedded/reader-small}\nindexes:\n  i: {corpus: {paths: ['docs/*.md']}}\n"
    write(tmp_path, files)
    assert llmops(tmp_path, "rag", "index").returncode == 0
    shutil.rmtree(tmp_path / ".llmops" / "chroma")
    lost = llmops(tmp_path, "rag", "query", QUERIES["q1"])
    assert lost.returncode == 2
    assert "llmops rag index --repair" in lost.stderr
    assert "4 vectors from the cache" in llmops(tmp_path, "rag", "index", "--repair").stdout
    assert "docs/d1.md" in llmops(tmp_path, "rag", "query", QUERIES["q1"]).stdout
