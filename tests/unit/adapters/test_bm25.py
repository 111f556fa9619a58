from pathlib import Path

from llmops.adapters.bm25 import STAMP, Bm25Index
from llmops.domain.retrieval import Chunk

TEXTS = {
    "c1": "The cat sat on the mat.",
    "c2": "Dogs were running in the park.",
    "c3": "A dog runs after the cat.",
    "c4": "Nothing of that kind.",
}


def chunks(texts: dict[str, str]) -> list[Chunk]:
    return [Chunk(key, "d", 0, len(text), text) for key, text in texts.items()]


def test_words_are_stemmed_and_absent_ones_score_nothing() -> None:
    index = Bm25Index(chunks(TEXTS))
    runs, none, stop = index.query(["run dog", "zebra", "the of"], 10)
    assert {key for key, _ in runs} == {"c2", "c3"}
    assert all(score > 0 for _, score in runs)
    assert none == stop == []


def test_equal_scores_are_ordered_by_id_also_at_the_cut() -> None:
    texts = {f"k{n}": "same words here" for n in (5, 3, 9, 1, 7)} | {"k0": "other things entirely"}
    index = Bm25Index(chunks(texts))
    for k in (1, 2, 4, 5, 50):
        assert [key for key, _ in index.query(["words"], k)[0]] == ["k1", "k3", "k5", "k7", "k9"][:k]


def test_a_kept_index_is_opened_and_gives_the_same_scores(tmp_path: Path) -> None:
    folder = tmp_path / "bm25"
    first = Bm25Index(chunks(TEXTS), folder).query(["cat dog"], 3)
    assert (folder / STAMP).is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["bm25"]
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert Bm25Index(chunks(TEXTS), folder).query(["cat dog"], 3) == first
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written


def test_a_kept_index_of_other_chunks_or_a_damaged_one_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "bm25"
    Bm25Index(chunks(TEXTS), folder).query(["cat"], 3)
    more = chunks({**TEXTS, "c5": "zebra"})
    assert [key for key, _ in Bm25Index(more, folder).query(["zebra"], 3)[0]] == ["c5"]
    (folder / "data.csc.index.npy").write_bytes(b"damaged")
    assert [key for key, _ in Bm25Index(more, folder).query(["zebra"], 3)[0]] == ["c5"]
    assert (folder / "data.csc.index.npy").read_bytes() != b"damaged"


def test_a_folder_that_cannot_be_written_does_not_stop_a_query(tmp_path: Path) -> None:
    assert Bm25Index(chunks(TEXTS), tmp_path / "missing" / "bm25").query(["mat"], 1)[0][0][0] == "c1"


def test_texts_without_words_and_hostile_texts() -> None:
    assert Bm25Index(chunks({"a": "...", "b": "the"})).query(["the dots", ""], 3) == [[], []]
    hostile = Bm25Index(chunks({"a": "\ud800 zebra \x00", "b": "{{ x }}"}))
    assert [key for key, _ in hostile.query(["zebra \udcff"], 3)[0]] == ["a"]


def test_scripts_without_spaces_are_searched_by_pairs_of_characters() -> None:
    texts = {"pay": "退款将在十四天内支付。", "send": "从上海仓库发出，使用GPU加速。", "ja": "返金は十四日以内です。"}
    index = Bm25Index(chunks(texts))
    asked = {"退款多久支付": "pay", "货物从哪里发出": "send", "GPU 加速": "send", "返金はいつですか": "ja"}
    assert {query: index.query([query], 1)[0][0][0] for query in asked} == asked
