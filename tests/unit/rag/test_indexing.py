from pathlib import Path

import pytest
from rag_fakes import FakeEmbedder, FakeVectors, Silent

from llmops.adapters.sql.store import open_store
from llmops.domain.errors import RetrievalError, UsageError
from llmops.domain.ports import Store
from llmops.domain.retrieval import Document
from llmops.rag.generations import generation_folder, load_chunks
from llmops.rag.indexing import BATCH, Built, Indexer, writing
from llmops.rag.loading import Corpus, fingerprint
from llmops.rag.manifests import Manifest, index_key, plan_changes
from llmops.settings.indexes import ChunkerSettings, CorpusSettings, IndexSettings

SETTINGS = IndexSettings(corpus=CorpusSettings(paths=["*.md"]), chunker=ChunkerSettings(max_tokens=40, overlap=4))


class Bench:
    """An index over documents that a test changes."""

    def __init__(self, root: Path) -> None:
        self.store: Store = open_store("sqlite:///store.db", root)
        self.folder = root / "index"
        self.vectors = FakeVectors()
        self.embedder = FakeEmbedder()
        self.settings = SETTINGS
        self.documents = {f"{n}.md": f"# Page {n}\n\nThis is page number {n}.\n" for n in range(5)}
        self.progress = Silent()

    def hashes(self) -> dict[str, str]:
        return fingerprint(self.corpus)

    @property
    def corpus(self) -> Corpus:
        return Corpus(tuple(Document(name, text) for name, text in sorted(self.documents.items())), ())

    def build(self, *, repair: bool = False) -> Built:
        self.embedder.texts.clear()
        indexer = Indexer("manual", self.settings, self.embedder, self.store, self.folder)
        return indexer.build(self.corpus.documents, self.hashes(), self.vectors, self.progress, repair=repair)

    @property
    def manifest(self) -> Manifest:
        manifest = Manifest.load(self.store, "manual")
        assert manifest is not None
        return manifest


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_first_build_embeds_everything_and_is_described(bench: Bench) -> None:
    built = bench.build()
    assert (built.documents_changed, built.chunks_embedded, built.chunks_removed) == (5, 5, 0)
    assert bench.manifest == built.manifest
    assert bench.manifest.hashes == bench.hashes()
    chunks = load_chunks(bench.folder, built.manifest.key)
    assert {chunk.vector_id for chunk in chunks} == bench.vectors.ids()
    assert [chunk.document for chunk in chunks] == sorted(bench.documents)
    assert bench.vectors.facts == {
        "key": built.manifest.key,
        "generation": 1,
        "embedder": "fake@1",
        "dimensions": 64,
        "documents": 5,
        "chunks": 5,
    }
    cut = ["cutting manual: 5", "1", "2", "3", "4", "5", "finished"]
    assert bench.progress.told == [*cut, "embedding manual: 5", "5", "finished"]


def test_equal_passages_are_embedded_and_kept_once_and_each_stays_a_chunk(bench: Bench) -> None:
    bench.documents |= {f"blank{n}.md": "This page is left blank." for n in range(4)}
    built = bench.build()
    assert (built.manifest.size, built.chunks_embedded, len(bench.vectors.rows)) == (9, 6, 6)
    assert bench.embedder.texts.count("This page is left blank.") == 1
    del bench.documents["blank0.md"]
    assert bench.build().chunks_removed == 0
    for n in range(1, 4):
        del bench.documents[f"blank{n}.md"]
    assert bench.build().chunks_removed == 1
    assert len(bench.vectors.rows) == 5


def test_an_unchanged_corpus_embeds_nothing_and_leaves_the_vectors_unopened(bench: Bench) -> None:
    bench.build()
    bench.vectors.calls = 0
    built = bench.build()
    assert (built.documents_changed, built.chunks_embedded, built.chunks_removed) == (0, 0, 0)
    assert bench.embedder.texts == []
    assert bench.vectors.calls == 0


def test_only_changed_documents_are_cut_and_embedded_again(bench: Bench) -> None:
    old = bench.build().manifest
    bench.documents["2.md"] += "\nAn addition.\n"
    bench.documents["new.md"] = "New."
    del bench.documents["4.md"]
    built = bench.build()
    assert (built.documents_changed, built.chunks_embedded, built.chunks_removed) == (2, 2, 2)
    assert sorted(bench.embedder.texts) == ["New.", "Page 2\n\nThis is page number 2.\n\nAn addition."]
    assert built.manifest.generation == 2
    assert built.manifest.documents["0.md"] == old.documents["0.md"]
    assert {chunk.vector_id for chunk in load_chunks(bench.folder, built.manifest.key)} == bench.vectors.ids()
    assert not generation_folder(bench.folder, old.key).exists()


def test_what_a_killed_build_has_embedded_is_not_embedded_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.documents = {f"{n}.md": f"Page number {n}." for n in range(BATCH + 10)}
    embed = bench.embedder.embed_queries

    def killed(texts: list[str]) -> object:
        if len(texts) < BATCH:
            raise KeyboardInterrupt
        return embed(texts)

    monkeypatch.setattr(bench.embedder, "embed_queries", killed)
    with pytest.raises(KeyboardInterrupt):
        bench.build()
    assert Manifest.load(bench.store, "manual") is None
    monkeypatch.undo()
    assert bench.build().chunks_embedded == 10


def test_a_kill_before_the_switch_leaves_the_old_generation_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    old = bench.build().manifest
    before = bench.vectors.ids()
    bench.documents["2.md"] = "Another text."

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.store, "set_manifest", killed)
    with pytest.raises(KeyboardInterrupt):
        bench.build()
    monkeypatch.undo()
    assert bench.manifest == old
    assert {chunk.vector_id for chunk in load_chunks(bench.folder, old.key)} == before <= bench.vectors.ids()
    built = bench.build()
    assert (built.chunks_embedded, built.chunks_removed) == (0, 1)


def test_old_ids_that_a_kill_left_behind_leave_with_the_next_build(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.build()
    bench.documents["2.md"] = "Another text."

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.vectors, "delete", killed)
    with pytest.raises(KeyboardInterrupt):
        bench.build()
    monkeypatch.undo()
    assert len(bench.vectors.rows) == 6
    bench.documents["3.md"] = "Third text."
    assert bench.build().chunks_removed == 2
    assert len(bench.vectors.rows) == 5


def test_another_embedder_builds_all_anew_and_drops_the_old_vectors(bench: Bench) -> None:
    bench.build()
    assert not bench.vectors.others_dropped
    bench.embedder, bench.vectors = FakeEmbedder("other@1"), FakeVectors()
    built = bench.build()
    assert (built.documents_changed, built.chunks_embedded) == (5, 5)
    assert bench.vectors.others_dropped


def test_another_chunker_cuts_all_anew_and_embeds_what_came_out_different(bench: Bench) -> None:
    bench.documents["long.md"] = "One sentence here. " * 20
    bench.build()
    bench.settings = SETTINGS.model_copy(update={"chunker": ChunkerSettings(max_tokens=30, overlap=4)})
    built = bench.build()
    assert built.documents_changed == 6
    assert len(bench.embedder.texts) == built.chunks_embedded > 0
    assert all("One sentence" in text for text in bench.embedder.texts)


def test_lost_vectors_and_lost_files_are_repaired(bench: Bench) -> None:
    built = bench.build()
    del bench.vectors.rows[next(iter(bench.vectors.rows))]
    assert bench.build().chunks_embedded == 0
    assert bench.build(repair=True).chunks_embedded == 1
    (generation_folder(bench.folder, built.manifest.key) / "chunks.jsonl").unlink()
    assert bench.build().documents_changed == 5
    assert load_chunks(bench.folder, built.manifest.key) != []


def test_vectors_that_are_no_unit_vectors_are_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    bench.build()
    old = bench.manifest
    bench.documents["2.md"] = "Another text."
    for bad in (np.full((1, 64), np.nan, np.float32), np.zeros((1, 3), np.float32)):
        monkeypatch.setattr(bench.embedder, "embed", lambda texts, bad=bad: bad)
        with pytest.raises(RetrievalError, match="'fake@1' gave vectors"):
            bench.build()
    assert bench.manifest == old


def test_a_chunker_beyond_the_window_is_refused_before_anything_is_opened(bench: Bench) -> None:
    bench.settings = SETTINGS.model_copy(update={"chunker": ChunkerSettings(max_tokens=512)})
    with pytest.raises(UsageError, match="above the embedder's window"):
        bench.build()
    assert bench.vectors.calls == 0


def test_an_unwritable_folder_keeps_the_old_generation(bench: Bench) -> None:
    old = bench.build().manifest
    bench.documents["2.md"] = "Another text."
    key = index_key(SETTINGS, bench.hashes(), "fake@1")
    generation_folder(bench.folder, key).write_text("in the way")
    with pytest.raises(RetrievalError, match="chunks cannot be written"):
        bench.build()
    assert bench.manifest == old


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with writing(tmp_path / "index", "manual"):
        second = writing(tmp_path / "index", "manual", wait_s=0)
        with pytest.raises(RetrievalError, match="Another process is building the index 'manual'") as caught, second:
            pass
        assert "run the same command again" in str(caught.value)
    with writing(tmp_path / "index", "manual", wait_s=0):
        pass


def test_the_plan_tells_what_a_build_would_do_without_doing_it(bench: Bench) -> None:
    empty = plan_changes(None, SETTINGS, bench.hashes(), bench.embedder)
    assert empty.everything == "it was never built"
    assert len(empty.added) == 5
    bench.build()
    bench.embedder.texts.clear()
    assert plan_changes(bench.manifest, SETTINGS, bench.hashes(), bench.embedder).none
    bench.documents["2.md"] = "Another text."
    del bench.documents["3.md"]
    bench.documents["new.md"] = "New."
    changes = plan_changes(bench.manifest, SETTINGS, bench.hashes(), bench.embedder)
    assert (changes.added, changes.changed, changes.removed, changes.everything) == (("new.md",), ("2.md",), ("3.md",), "")
    other = SETTINGS.model_copy(update={"chunker": ChunkerSettings(max_tokens=30, overlap=4)})
    assert (
        plan_changes(bench.manifest, other, bench.hashes(), bench.embedder).everything
        == "the chunker changed, or how an index is built"
    )
    assert plan_changes(bench.manifest, SETTINGS, bench.hashes(), FakeEmbedder("x")).everything == "the embedder changed"
    assert bench.embedder.texts == []


def test_the_key_follows_content_chunker_and_embedder_and_not_the_way_of_asking(bench: Bench) -> None:
    hashes = bench.hashes()
    key = index_key(SETTINGS, hashes, "fake@1")
    asked = SETTINGS.model_copy(update={"retrieve": SETTINGS.retrieve.model_copy(update={"k": 9})})
    assert index_key(asked, dict(reversed(hashes.items())), "fake@1") == key
    assert index_key(SETTINGS, hashes, "fake@2") != key
    assert index_key(SETTINGS, {**hashes, "x.md": "0"}, "fake@1") != key


@pytest.mark.parametrize("stored", [None, [], "text", {"key": "k"}, {"key": "k", "documents": {"a": "old form"}}])
def test_a_manifest_of_another_form_counts_as_none(bench: Bench, stored: object) -> None:
    bench.store.set_manifest("manual", stored)
    assert Manifest.load(bench.store, "manual") is None
