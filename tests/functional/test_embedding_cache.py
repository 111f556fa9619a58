"""A passage is embedded once, whatever index it is for: the endpoint counts what it is asked."""

import json
from pathlib import Path

from command_line import llmops, write
from openai_server import OpenAiServer

from llmops.adapters.sqlite_vectors import SqliteVectors

PAGES = {
    f"docs/{name}.md": f"# {name.title()}\n\nThe {name} stands at the old harbour.\n" for name in ("crane", "lamp", "bell")
}
INDEX = "{{corpus: {{paths: ['docs/*.md']}}, embedder: {embedder}, chunker: {chunker}}}"
MINILM, CHUNKER, OTHER = "{kind: minilm}", "{max_tokens: 100, overlap: 10}", "{max_tokens: 90, overlap: 10}"


def settings(embedder: str, chunkers: dict[str, str], rest: str = "") -> dict[str, str]:
    indexes = "".join(f"  {name}: {INDEX.format(embedder=embedder, chunker=each)}\n" for name, each in chunkers.items())
    return {"llmops.yaml": f"models:\n  small: {{id: embedded/reader-small}}\nindexes:\n{indexes}{rest}"}


def paid(base: str) -> str:
    return f"{{kind: litellm, name: openai/text-embedding-3-small, api_base: '{base}'}}"


def built(folder: Path, *arguments: str) -> str:
    done = llmops(folder, "rag", "index", *arguments, OPENAI_API_KEY="k")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_paid_model_embeds_a_text_once_for_all_indexes(server: OpenAiServer, tmp_path: Path) -> None:
    write(tmp_path, PAGES | settings(paid(server.base), {"first": CHUNKER}))
    assert "3 chunks embedded" in built(tmp_path)
    assert len(server.embedded) == 3
    write(tmp_path, settings(paid(server.base), {"first": OTHER, "second": CHUNKER}))  # another chunker, and another index
    assert "second: 3 documents, 3 chunks (3 changed, 0 chunks embedded, 0 removed, 3 vectors from the cache)" in built(
        tmp_path
    )
    llmops(tmp_path, "rag", "drop", "first", "--yes")
    assert "first: 3 documents, 3 chunks (3 changed, 0 chunks embedded, 0 removed, 3 vectors from the cache)" in built(tmp_path)
    assert len(server.embedded) == 3
    write(tmp_path, {"docs/crane.md": "# Crane\n\nThe crane was sold.\n"})
    built(tmp_path)
    assert len(server.embedded) == 4
    hits = llmops(tmp_path, "rag", "query", "-i", "first", "--json", "Where is the lamp?", OPENAI_API_KEY="k")
    assert len(json.loads(hits.stdout)) == 3


def test_a_folder_that_is_measured_aside_leaves_its_vectors_in_the_project(server: OpenAiServer, tmp_path: Path) -> None:
    corpus = [{"_id": f"d{n}", "text": f"The {name} stands at the harbour."} for n, name in enumerate(("crane", "lamp"))]
    write(
        tmp_path,
        PAGES
        | settings(paid(server.base), {"first": CHUNKER})
        | {
            "set/corpus.jsonl": "".join(f"{json.dumps(row)}\n" for row in corpus),
            "set/queries.jsonl": '{"_id": "q1", "text": "Where is the lamp?"}\n',
            "set/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
        },
    )
    for _ in range(2):
        done = llmops(tmp_path, "rag", "eval", "--beir", "set", "-c", "first", "--json", OPENAI_API_KEY="k")
        assert done.returncode == 0, done.stderr
    assert sum("stands" in text for text in server.embedded) == 2


def test_it_is_shown_cleared_and_switched_off(server: OpenAiServer, tmp_path: Path) -> None:
    write(tmp_path, PAGES | settings(paid(server.base), {"first": CHUNKER}))
    built(tmp_path)
    listed = json.loads(llmops(tmp_path, "cache", "list", "--json").stdout)
    assert (listed["embeddings"]["nodes"], listed["max_embeddings_bytes"]) == (3, 512 * 2**20)
    shown = llmops(tmp_path, "cache", "list").stdout
    assert "embed" in shown
    assert "in a file of at most 512" in shown
    assert "vectors" not in llmops(tmp_path, "cache", "clear", "--kind", "judge").stdout
    assert "0 nodes removed" in llmops(tmp_path, "cache", "prune", "--unused-days", "1").stdout
    assert "3 vectors removed" in llmops(tmp_path, "cache", "clear", "--kind", "embed").stdout
    write(tmp_path, settings(paid(server.base), {"second": CHUNKER}, "cache: {embeddings_mb: 0}\n"))
    built(tmp_path)
    assert len(server.embedded) == 6
    assert json.loads(llmops(tmp_path, "cache", "list", "--json").stdout)["embeddings"] is None


def test_the_embedded_model_is_spared_and_the_fast_one_needs_no_cache(tmp_path: Path) -> None:
    write(tmp_path, PAGES | settings(MINILM, {"first": CHUNKER, "second": CHUNKER}))
    assert "second: 3 documents, 3 chunks (3 changed, 0 chunks embedded, 0 removed, 3 vectors from the cache)" in built(
        tmp_path
    )
    other = write(tmp_path / "other", PAGES | settings("{kind: static}", {"first": CHUNKER}))
    built(other)
    assert not (other / ".llmops/embeddings.db").exists()


def test_a_damaged_file_costs_nothing_but_time(tmp_path: Path) -> None:
    write(tmp_path, PAGES | settings(MINILM, {"first": CHUNKER}))
    built(tmp_path)
    for path in (tmp_path / ".llmops").glob("embeddings.db*"):
        path.write_bytes(b"\x00damaged" * 4000)
    llmops(tmp_path, "rag", "drop", "first", "--yes")
    done = llmops(tmp_path, "rag", "index")
    assert (done.returncode, "3 chunks embedded" in done.stdout) == (0, True)
    assert "was damaged" in done.stderr
    assert SqliteVectors(tmp_path / ".llmops/embeddings.db", 2**20).kept() is not None
