import json
from pathlib import Path

import pytest

from llmops.domain.errors import InvalidFiles
from llmops.rag.globbing import matching_files
from llmops.rag.loading import MAX_PROBLEMS, fingerprint, load_corpus
from llmops.settings.indexes import CorpusSettings


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def names(root: Path, *patterns: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return [match.name for match in matching_files(patterns, exclude, root) if match.problem is None]


TREE = {"a.md": "a", "docs/b.md": "b", "docs/deep/er/c.md": "c", "docs/d.txt": "d", ".venv/e.md": "e", "docs/.git/f.md": "f"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("**/*.md", ["a.md", "docs/b.md", "docs/deep/er/c.md"]),
        ("docs/**/*.md", ["docs/b.md", "docs/deep/er/c.md"]),
        ("docs/**", ["docs/b.md", "docs/d.txt", "docs/deep/er/c.md"]),
        ("docs/*.md", ["docs/b.md"]),
        ("*/?.md", ["docs/b.md"]),
        ("docs/[bd].*", ["docs/b.md", "docs/d.txt"]),
        ("docs/[!b].*", ["docs/d.txt"]),
        ("./a.md", ["a.md"]),
        (".venv/*.md", [".venv/e.md"]),
        ("**/**/**/c.md", ["docs/deep/er/c.md"]),
        ("[z-a].md", []),
    ],
)
def test_globs_name_files_as_a_shell_would(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    write(tmp_path, TREE)
    assert names(tmp_path, pattern) == expected


def test_excluded_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, TREE)
    assert names(tmp_path, "**/*.md", exclude=("docs/deep/**",)) == ["a.md", "docs/b.md"]


def test_links_do_not_lead_out_of_the_project_nor_round_in_circles(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, {"docs/a.md": "inside"})
    write(tmp_path, {"secret.md": "outside", "far/b.md": "outside"})
    (root / "docs/out.md").symlink_to(tmp_path / "secret.md")
    (root / "docs/self.md").symlink_to("self.md")
    (root / "docs/loop").symlink_to(root / "docs")
    (root / "docs/far").symlink_to(tmp_path / "far")
    (root / "docs/near.md").symlink_to("a.md")
    corpus = load_corpus(CorpusSettings(paths=["docs/**/*.md"]), root)
    assert [(document.id, document.text) for document in corpus.documents] == [
        ("docs/a.md", "inside"),
        ("docs/near.md", "inside"),
    ]
    told = {problem.file: problem.message for problem in corpus.problems}
    assert told.keys() == {"docs/out.md", "docs/self.md", "docs/loop", "docs/far"}
    assert "out of the project" in told["docs/out.md"]
    assert "leads nowhere" in told["docs/self.md"]
    assert "not followed" in told["docs/loop"]


@pytest.mark.parametrize("pattern", ["docs/far/**/*.md", "docs/far/b.md", "docs/far/deep/*.md"])
def test_a_folder_that_a_pattern_spells_out_does_not_lead_out_of_the_project(tmp_path: Path, pattern: str) -> None:
    root = tmp_path / "project"
    write(root, {"docs/a.md": "inside"})
    write(tmp_path, {"far/b.md": "outside", "far/deep/c.md": "outside"})
    (root / "docs/far").symlink_to(tmp_path / "far")
    (root / "near").symlink_to(root / "docs")
    corpus = load_corpus(CorpusSettings(paths=["near/*.md", pattern]), root)
    assert [document.id for document in corpus.documents] == ["near/a.md"]
    (problem,) = corpus.problems
    assert problem.file.startswith("docs/far")
    assert "out of the project" in problem.message


def test_a_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "fine", "empty.md": " \n"})
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    (tmp_path / "wide.md").write_bytes("wide".encode("utf-16"))
    (tmp_path / "huge.md").write_bytes(b"x" * (16 * 2**20 + 1))
    corpus = load_corpus(CorpusSettings(paths=["*.md", "nothing/*.md"]), tmp_path)
    assert [document.id for document in corpus.documents] == ["a.md"]
    assert [problem.file for problem in corpus.problems] == ["empty.md", "huge.md", "latin.md", "nothing/*.md", "wide.md"]


def test_a_file_that_vanishes_midway_is_left_out_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a.md": "fine", "b.md": "soon gone"})
    found = matching_files(["*.md"], [], tmp_path)
    (tmp_path / "b.md").unlink()
    monkeypatch.setattr("llmops.rag.loading.matching_files", lambda *_: found)
    corpus = load_corpus(CorpusSettings(paths=["*.md"]), tmp_path)
    assert [document.id for document in corpus.documents] == ["a.md"]
    assert [str(problem) for problem in corpus.problems] == ["b.md: no such file."]


def test_the_fingerprint_follows_the_text_and_ignores_line_ends(tmp_path: Path) -> None:
    write(tmp_path, {"b.md": "two\nlines", "a.md": "one"})
    settings = CorpusSettings(paths=["*.md"])
    before = fingerprint(load_corpus(settings, tmp_path))
    assert list(before) == ["a.md", "b.md"]
    (tmp_path / "b.md").write_bytes(b"\xef\xbb\xbftwo\r\nlines")
    assert fingerprint(load_corpus(settings, tmp_path)) == before
    write(tmp_path, {"a.md": "other"})
    assert fingerprint(load_corpus(settings, tmp_path))["a.md"] != before["a.md"]


def test_a_corpus_without_a_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFiles, match=r"'docs/\*\.md' holds no readable document"):
        load_corpus(CorpusSettings(paths=["docs/*.md"]), tmp_path)


def test_jsonl_lines_are_documents(tmp_path: Path) -> None:
    rows = [{"key": "b", "body": "two"}, {"key": 1, "body": "one\r\nmore"}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "c.jsonl").write_text("\ufeff" + text, encoding="utf-8")
    corpus = load_corpus(CorpusSettings(jsonl="c.jsonl", id="key", text="body"), tmp_path)
    assert [(d.id, d.text) for d in corpus.documents] == [("1", "one\nmore"), ("b", "two")]
    assert corpus.problems == ()


def test_csv_rows_are_documents_with_named_fields(tmp_path: Path) -> None:
    write(tmp_path, {"faq.csv": 'key,answer,team\n7,"Two days,\nat most.",ops\n8,,ops\n9,too,many,cells\n'})
    settings = CorpusSettings(csv="faq.csv", id="key", text="answer", metadata=["team"])
    corpus = load_corpus(settings, tmp_path)
    assert [(d.id, d.text, d.metadata) for d in corpus.documents] == [("7", "Two days,\nat most.", {"team": "ops"})]
    assert [problem.line for problem in corpus.problems] == [4, 5]
    with pytest.raises(InvalidFiles, match="has no text in the field 'text'"):
        load_corpus(CorpusSettings(csv="faq.csv", id="key"), tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "x", "text": ', "is not valid JSON"),
        ("[1]", "holds list; an object was expected"),
        ('{"text": "no id"}', "has no id in the field 'id'"),
        ('{"id": true, "text": "t"}', "has no id"),
        ('{"id": "x", "text": null}', "has no text in the field 'text'"),
        ('{"id": "x", "text": " "}', "holds an empty text"),
        ('{"id": "ok", "text": "again"}', "'ok' stands twice"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": "ok", "text": "fine"}\n' + line + "\n", encoding="utf-8")
    corpus = load_corpus(CorpusSettings(jsonl="c.jsonl"), tmp_path)
    assert [document.text for document in corpus.documents] == ["fine"]
    assert message in corpus.problems[0].message


def test_problems_are_listed_up_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('{"id": "ok", "text": "fine"}\n' + "{}\n" * 1000, encoding="utf-8")
    problems = load_corpus(CorpusSettings(jsonl="c.jsonl"), tmp_path).problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert "800 further problems" in problems[-1].message


def test_a_beir_folder_gives_title_and_text(tmp_path: Path) -> None:
    write(tmp_path, {"set/corpus.jsonl": '{"_id": "7", "title": "Title", "text": "Body."}\n'})
    corpus = load_corpus(CorpusSettings(beir="set"), tmp_path)
    assert [(d.id, d.text) for d in corpus.documents] == [("7", "Title\n\nBody.")]
    with pytest.raises(InvalidFiles, match="A BEIR folder holds corpus.jsonl"):
        load_corpus(CorpusSettings(beir="elsewhere"), tmp_path)
