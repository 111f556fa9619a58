"""Load, chunk, index and query with the real Chroma, BM25, embedder and store."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from llmops.adapters.bm25 import Bm25Index
from llmops.adapters.chroma import ChromaStore
from llmops.adapters.onnx_embedder import OnnxEmbedder
from llmops.adapters.sql.store import open_store
from llmops.domain.errors import RetrievalError
from llmops.domain.retrieval import Chunk, Document
from llmops.rag import searching
from llmops.rag.chunking import SPECIAL_TOKENS, Chunker
from llmops.rag.generations import generation_folder, load_chunks
from llmops.rag.indexing import Built, Indexer, writing
from llmops.rag.loading import fingerprint, load_corpus
from llmops.rag.manifests import Manifest
from llmops.rag.retrieving import Retriever
from llmops.rag.searching import DenseSearch
from llmops.settings.indexes import ChunkerSettings, CorpusSettings, IndexSettings, VectorStoreSettings
from llmops.settings.secrets import masked

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

PAGES = {
    "docs/tides.md": "# Tides\n\nThe moon's gravity raises the sea.\n\n## Spring tides\n\nThey come at full moon.\n",
    "docs/bread.md": "# Bread\n\nYeast makes the dough rise. Bake it at 230 degrees.\n",
    "docs/bees.md": "# Bees\n\nWorker bees dance to tell where the nectar is.\n",
}


class CountingEmbedder(OnnxEmbedder):
    """The real embedder; counts the chunks that it embeds."""

    embedded = 0

    def embed(self, texts: Sequence[str]) -> "NDArray[float32]":
        self.embedded += len(texts)
        return super().embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> "NDArray[float32]":
        return super().embed(texts)


class Quiet:
    """Implements `Progress`."""

    def started(self, what: str, total: int) -> None: ...

    def advanced(self, done: int, *, failures: int = 0, spent_usd: float | None = None) -> None: ...

    def finished(self) -> None: ...

    def note(self, text: str) -> None: ...


class Pipeline:
    """A project folder with one index, opened anew by each call."""

    def __init__(self, root: Path, store: VectorStoreSettings | None = None) -> None:
        self.root = root
        self.folder = root / ".llmops/indexes/manual"
        self.settings = IndexSettings(
            corpus=CorpusSettings(paths=["docs/**/*.md"]), store=store or VectorStoreSettings(path=".llmops/chroma")
        )
        self.embedder = CountingEmbedder(threads=1)
        for name, text in PAGES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    @property
    def vectors(self) -> ChromaStore:
        return ChromaStore(self.settings.store, self.root, "manual", self.embedder.identity)

    def build(self) -> Built:
        self.embedder.embedded = 0
        corpus = load_corpus(self.settings.corpus, self.root)
        with writing(self.folder, "manual"):
            store = open_store("sqlite:///.llmops/llmops.db", self.root)
            indexer = Indexer("manual", self.settings, self.embedder, store, self.folder)
            built = indexer.build(corpus.documents, fingerprint(corpus), self.vectors, Quiet())
            store.close()
            return built

    @property
    def manifest(self) -> Manifest:
        store = open_store("sqlite:///.llmops/llmops.db", self.root)
        manifest = Manifest.load(store, "manual")
        store.close()
        assert manifest is not None
        return manifest

    def ask(self, *queries: str) -> list[list[str]]:
        """The best hits' documents."""
        key = self.manifest.key
        chunks = load_chunks(self.folder, key)
        lexical = Bm25Index(chunks, generation_folder(self.folder, key) / "bm25")
        by_id = {chunk.id: chunk for chunk in chunks}
        retriever = Retriever(self.settings.retrieve, self.embedder, self.vectors, lexical, by_id)
        return [[hit.source for hit in hits] for hits in retriever.retrieve(queries)]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def test_a_folder_is_indexed_and_asked(pipeline: Pipeline) -> None:
    built = pipeline.build()
    assert (built.chunks_embedded, len(built.manifest.documents)) == (4, 3)
    answers = pipeline.ask("What lifts the ocean twice a day?", "insects that dance", "oven temperature")
    assert [answer[0] for answer in answers] == ["docs/tides.md", "docs/bees.md", "docs/bread.md"]


@pytest.mark.parametrize("exact", [0, searching.EXACT])
def test_many_equal_passages_hide_nothing_and_three_builds_agree(
    tmp_path: Path, exact: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "EXACT", exact)
    answers = []
    for number in range(3):
        pipeline = Pipeline(tmp_path / str(number))
        for n in range(300):
            pipeline.write(f"docs/blank{n}.md", "# Notice\n\nThis page is intentionally left blank.\n")
        built = pipeline.build()
        chunks = {chunk.id: chunk for chunk in load_chunks(pipeline.folder, built.manifest.key)}
        assert (len(chunks), built.chunks_embedded) == (304, 5)
        queries = pipeline.embedder.embed_queries(["What lifts the ocean twice a day?", "insects that dance"])
        texts = pipeline.embedder.embed([chunk.text for chunk in chunks.values()])
        for _ in range(3):
            answers.append(DenseSearch(pipeline.vectors, chunks).nearest(queries, 20))
            for query, ranking in zip(queries, answers[-1], strict=True):
                exactly = sorted(zip(np.round(texts @ query, 3), chunks, strict=True), key=lambda hit: (-hit[0], hit[1]))
                assert [key for key, _ in ranking] == [key for _, key in exactly[:20]]
        assert [answer[0] for answer in pipeline.ask("insects that dance")] == ["docs/bees.md"]
    assert all(answer == answers[0] for answer in answers)


def test_only_changed_documents_are_embedded_again_and_the_vectors_follow(pipeline: Pipeline) -> None:
    pipeline.build()
    pipeline.write("docs/bees.md", "# Ants\n\nAnts follow a trail of scent.\n")
    built = pipeline.build()
    assert pipeline.embedder.embedded == built.chunks_embedded == 1
    chunks = load_chunks(pipeline.folder, built.manifest.key)
    assert pipeline.vectors.ids() == {chunk.vector_id for chunk in chunks}
    assert pipeline.ask("insects that follow scent")[0][0] == "docs/bees.md"


def test_an_unchanged_index_embeds_nothing_and_does_not_import_chroma(pipeline: Pipeline) -> None:
    pipeline.build()
    script = (
        "import sys; from pathlib import Path; from test_rag import Pipeline\n"
        "import test_rag; test_rag.PAGES.clear()\n"
        "p = Pipeline(Path(sys.argv[1])); b = p.build()\n"
        "print(p.embedder.embedded, b.chunks_embedded, 'chromadb' in sys.modules, 'onnxruntime' in sys.modules)"
    )
    env = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path.cwd()}"}
    out = subprocess.run(
        [sys.executable, "-c", script, str(pipeline.root)], capture_output=True, text=True, env=env, check=True
    )
    assert out.stdout.split() == ["0", "0", "False", "False"]


def test_a_kill_between_upsert_and_switch_leaves_the_old_generation_readable(pipeline: Pipeline) -> None:
    pipeline.build()
    before = pipeline.manifest
    pipeline.write("docs/bees.md", "# Ants\n\nAnts follow a trail of scent.\n")
    script = (
        "import os, signal, sys; from pathlib import Path; import test_rag\n"
        "from llmops.rag.manifests import Manifest\n"
        "test_rag.PAGES.clear(); p = test_rag.Pipeline(Path(sys.argv[1]))\n"
        "Manifest.save = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "p.build()"
    )
    env = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path.cwd()}"}
    killed = subprocess.run([sys.executable, "-c", script, str(pipeline.root)], capture_output=True, env=env, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert pipeline.manifest == before
    assert len(pipeline.vectors.ids()) == 5
    assert pipeline.ask("insects that dance")[0][0] == "docs/bees.md"
    assert pipeline.build().chunks_embedded == 0
    assert pipeline.embedder.embedded == 0
    assert len(pipeline.vectors.ids()) == 4


def test_a_second_writer_in_another_process_is_told(pipeline: Pipeline) -> None:
    script = (
        "import sys; from pathlib import Path; from llmops.rag.indexing import writing\n"
        "with writing(Path(sys.argv[1]), 'manual'): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(pipeline.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    try:
        assert holder.stdout.readline() == "held\n"
        second = writing(pipeline.folder, "manual", wait_s=0.1)
        with pytest.raises(RetrievalError, match="Another process is building the index 'manual'"), second:
            pass
    finally:
        holder.kill()
        holder.communicate()
    pipeline.build()


def test_a_corrupt_chroma_folder_is_named_with_the_way_out(pipeline: Pipeline) -> None:
    chroma = pipeline.root / ".llmops/chroma"
    chroma.mkdir(parents=True)
    (chroma / "chroma.sqlite3").write_bytes(b"this is no database" * 1000)
    with pytest.raises(RetrievalError) as caught:
        pipeline.build()
    message = str(caught.value)
    assert f"The Chroma folder '{chroma}' cannot be used" in message
    assert "llmops rag index" in message
    assert (chroma / "chroma.sqlite3").read_bytes().startswith(b"this is no database")


def test_lost_vectors_are_told_and_built_anew(pipeline: Pipeline) -> None:
    built = pipeline.build()
    chunks = load_chunks(pipeline.folder, built.manifest.key)
    pipeline.vectors.delete([chunk.vector_id for chunk in chunks if chunk.document == "docs/bees.md"])
    with pytest.raises(RetrievalError, match="lost 1 of 4 vectors") as caught:
        pipeline.ask("insects that dance")
    assert "llmops rag index --repair" in str(caught.value)
    shutil.rmtree(pipeline.folder)
    assert pipeline.build().chunks_embedded == 1
    assert pipeline.ask("insects that dance")[0][0] == "docs/bees.md"


def test_vectors_of_another_length_are_refused(pipeline: Pipeline) -> None:
    pipeline.build()
    chunk = Chunk("id", "d", 0, 1, "x")
    with pytest.raises(RetrievalError, match="holds other vectors"):
        pipeline.vectors.upsert([chunk], np.ones((1, 8), np.float32))


def test_two_embedders_never_share_a_collection(pipeline: Pipeline) -> None:
    pipeline.build()
    other = ChromaStore(pipeline.settings.store, pipeline.root, "manual", "other@1")
    assert other.ids() == set()
    neighbour = ChromaStore(pipeline.settings.store, pipeline.root, "manual-2", "other@1")
    neighbour.ids()
    other.drop_others()
    assert pipeline.vectors.ids() == set()
    client = neighbour._connected()
    assert sorted(re.sub("-[0-9a-f]{12}$", "", each.name) for each in client.list_collections()) == [
        "manual",
        "manual",
        "manual-2",
    ]


def test_many_chunks_go_in_batches(pipeline: Pipeline) -> None:
    chunks = [Chunk(f"id{n}", "d", 0, 1, f"text {n}") for n in range(6000)]
    vectors = np.random.default_rng(1).normal(size=(6000, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store = pipeline.vectors
    store.upsert(chunks, vectors)
    assert len(store.ids()) == 6000
    (best,) = store.query(vectors[77:78], 3)
    assert best[0][0] == chunks[77].vector_id
    assert best[0][1] == pytest.approx(1.0, abs=1e-5)
    rows = store.vectors([chunk.vector_id for chunk in (*chunks[:4500], chunks[0])])
    assert np.allclose(rows, vectors[[*range(4500), 0]], atol=1e-6)
    store.delete([chunk.vector_id for chunk in chunks[:5990]])
    assert len(store.ids()) == 10
    assert store.query(vectors[:0], 3) == []


def test_chunks_fit_the_real_window(pipeline: Pipeline) -> None:
    text = "\n\n".join(
        f"## Heading {n} \u200b\n\n" + "Überraschung internationalization 日本語 🙂 x1y2. " * 40 for n in range(5)
    )
    for kind in ("markdown", "tokens", "sentences", "recursive", "semantic", "code"):
        settings = ChunkerSettings.model_validate({"kind": kind, "max_tokens": 240, "overlap": 32})
        chunks = Chunker(settings, pipeline.embedder).chunks(Document("d", text))
        assert len(chunks) > 5
        counts = [pipeline.embedder.tokenizer.count(chunk.text) + SPECIAL_TOKENS for chunk in chunks]
        assert max(counts) <= 240
        assert all(chunk.text.endswith(text[chunk.start : chunk.end]) for chunk in chunks)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chroma = Path(sys.executable).parent / "chroma"
    command = [str(chroma), "run", "--path", str(tmp_path / "server"), "--host", "127.0.0.1", "--port", str(port)]
    env = {**os.environ, "ANONYMIZED_TELEMETRY": "False"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env, cwd=tmp_path)
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_a_chroma_server_serves_as_well_as_a_folder(tmp_path: Path, server: str) -> None:
    pipeline = Pipeline(tmp_path, VectorStoreSettings(url=server))
    assert pipeline.build().chunks_embedded == 4
    assert pipeline.ask("insects that dance")[0][0] == "docs/bees.md"
    pipeline.write("docs/bees.md", "# Ants\n\nAnts follow a trail of scent.\n")
    assert pipeline.build().chunks_embedded == 1
    assert pipeline.ask("insects that follow scent")[0][0] == "docs/bees.md"
    assert not (tmp_path / ".llmops/chroma").exists()


class Refusing(BaseHTTPRequestHandler):
    """Notes the paths that it is asked for, and refuses."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(403)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("path", "asked"), [("", "/api/"), ("/", "/api/"), ("/chroma", "/chroma/api/"), ("/a/b/", "/a/b/api/")]
)
def test_a_server_below_a_path_is_asked_there(tmp_path: Path, path: str, asked: str) -> None:
    Refusing.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        pipeline = Pipeline(tmp_path, VectorStoreSettings(url=f"http://127.0.0.1:{http.server_port}{path}"))
        with pytest.raises(RetrievalError, match=r"The Chroma server http://127\.0\.0\.1"):
            pipeline.build()
        http.shutdown()
    assert Refusing.asked
    assert all(each.startswith(asked) for each in Refusing.asked)


def test_projects_with_a_namespace_each_share_a_server(tmp_path: Path, server: str) -> None:
    one, other = (Pipeline(tmp_path / name, VectorStoreSettings(url=server, namespace=name)) for name in ("one", "other"))
    one.build()
    other.write("docs/bees.md", "# Ants\n\nAnts follow a trail of scent.\n")
    assert other.build().chunks_embedded == 4
    assert one.ask("insects that dance")[0][0] == "docs/bees.md"
    other.vectors.drop_others()
    other.vectors.drop()
    assert one.ask("insects that dance")[0][0] == "docs/bees.md"


def test_projects_that_share_a_server_and_a_name_are_told_of_namespaces(tmp_path: Path, server: str) -> None:
    one, other = (Pipeline(tmp_path / name, VectorStoreSettings(url=server)) for name in ("one", "other"))
    one.build()
    other.write("docs/bees.md", "# Ants\n\nAnts follow a trail of scent.\n")
    other.build()
    with pytest.raises(RetrievalError, match="lost 1 of 4 vectors") as caught:
        one.ask("insects that dance")
    assert "a `namespace` each in the index's `store`" in str(caught.value)


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path, VectorStoreSettings(url="http://127.0.0.1:9"))
    with pytest.raises(RetrievalError, match=r"The Chroma server http://127\.0\.0\.1:9 failed") as caught:
        pipeline.build()
    assert "chroma run" in str(caught.value)


def test_a_server_that_asks_for_a_token_is_told_apart_from_one_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(BaseHTTPRequestHandler):
        seen: ClassVar[set[str | None]] = set()

        def do_GET(self) -> None:
            self.seen.add(self.headers["Authorization"])
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b'{"error": "AuthError", "message": "Unauthorized"}')

        def log_message(self, *_: Any) -> None:  # noqa: ANN401
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        pipeline = Pipeline(tmp_path, VectorStoreSettings(url=f"http://127.0.0.1:{server.server_port}"))
        with pytest.raises(RetrievalError, match="CHROMA_CLIENT_AUTH_CREDENTIALS") as caught:
            pipeline.build()
        assert "chroma run" not in str(caught.value)
        monkeypatch.setenv("CHROMA_CLIENT_AUTH_PROVIDER", "chromadb.auth.token_authn.TokenAuthClientProvider")
        monkeypatch.setenv("CHROMA_CLIENT_AUTH_CREDENTIALS", "a-token-of-ours")
        with pytest.raises(RetrievalError, match="CHROMA_CLIENT_AUTH_CREDENTIALS"):
            pipeline.build()
        server.shutdown()
    assert Refusing.seen == {None, "Bearer a-token-of-ours"}
    assert masked("sent a-token-of-ours") == "sent ***"
