"""Commits, labels, rollback, and the detection of edits."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.prompting.evidence import evidence_path, read_evidence, write_evidence
from llmops.prompting.registry import Registry
from llmops.prompting.versions import Change, check, commit, move_label, rollback, unlabel, verify

Write = Callable[[str, str], None]
Git = Callable[..., str]
Edit = Callable[[dict[str, Any]], object]

ME = Change("Tester", "because", at="2030-01-01T00:00:00Z")
HEAD = "---\nvariables: {question: {type: string}}\n---\n"
WORKING = "prompts/answer/prompt.j2"


def messages(problems: Sequence[Problem]) -> str:
    return "\n".join(str(problem) for problem in problems)


def test_commits_count_up_and_are_recorded(root: Path, write: Write) -> None:
    first = commit(Registry(root), "answer", ME)
    assert (first.version, first.bump) == ("1.0.0", None)
    assert check(Registry(root), "answer") == []
    write(WORKING, "user:\nBe {{ question }}.\n")
    assert "differs from its newest version 1.0.0" in messages(check(Registry(root), "answer"))
    assert commit(Registry(root), "answer", ME).version == "2.0.0"
    write(WORKING, "user:\nBe good, {{ question }}.\n")
    assert commit(Registry(root), "answer", ME, "major").version == "3.0.0"
    ledger = Registry(root).ledger("answer")
    assert [(e.version, e.came_from, e.by, e.at) for e in ledger.history][-1] == ("3.0.0", "2.0.0", "Tester", ME.at)
    assert verify(Registry(root), "answer") == []


def test_a_commit_without_a_change_and_a_bump_too_small_are_refused(root: Path, write: Write) -> None:
    commit(Registry(root), "answer", ME)
    with pytest.raises(UsageError, match="nothing to commit"):
        commit(Registry(root), "answer", ME)
    write(WORKING, "user:\n{{ other }}\n")
    with pytest.raises(UsageError, match="is major; `--bump patch` is smaller"):
        commit(Registry(root), "answer", ME, "patch")
    assert Registry(root).versions("answer") == ["1.0.0"]


def test_an_unparsable_working_copy_is_not_committed(root: Path, write: Write) -> None:
    write(WORKING, "user:\n{{ x\n")
    with pytest.raises(InvalidFiles):
        commit(Registry(root), "answer", ME)
    assert Registry(root).versions("answer") == []


def test_a_version_keeps_the_shared_files_it_was_committed_with(root: Path, write: Write) -> None:
    commit(Registry(root), "answer", ME)
    write("prompts/_shared/rules.j2", "Changed.\n")
    assert Registry(root).resolve("answer@1.0.0").render({"question": "x"})[0].content == "Be brief."
    assert "differs from its newest version" in messages(check(Registry(root), "answer"))
    assert verify(Registry(root), "answer") == []


def test_a_label_set_twice_to_a_version_rolls_back_to_the_one_before(root: Path, write: Write) -> None:
    for n, times in ((0, 1), (1, 3)):
        write(WORKING, f"user:\n{n} {{{{ question }}}}\n")
        version = commit(Registry(root), "answer", ME).version
        for _ in range(times):
            move_label(Registry(root), "answer", version, "production", ME)
    assert rollback(Registry(root), "answer", "production", ME).version == "1.0.0"
    assert verify(Registry(root), "answer") == []
    with pytest.raises(UsageError, match="no version before 1"):
        rollback(Registry(root), "answer", "production", ME)


def test_labels_move_and_roll_back_one_step_at_a_time(root: Path, write: Write) -> None:
    for n in range(3):
        write(WORKING, f"user:\n{n} {{{{ question }}}}\n")
        version = commit(Registry(root), "answer", ME).version
        move_label(Registry(root), "answer", version, "production", replace(ME, run=f"run-{n}"))
    registry = Registry(root)
    assert registry.labels("answer") == {"production": "1.2.0"}
    assert registry.ledger("answer").history[-1].run == "run-2"
    assert rollback(registry, "answer", "production", ME).version == "1.1.0"
    assert rollback(registry, "answer", "production", ME).version == "1.0.0"
    with pytest.raises(UsageError, match="no version before 1"):
        rollback(registry, "answer", "production", ME)
    assert registry.resolve("answer@production").version == "1.0.0"
    assert verify(registry, "answer") == []


def test_a_label_that_stands_there_already_is_written_once_for_each_run(root: Path) -> None:
    commit(Registry(root), "answer", ME)
    path = root / "prompts/answer/labels.yaml"
    for change in (ME, replace(ME, forced=True), replace(ME, run="run-1"), replace(ME, run="run-2")):
        assert move_label(Registry(root), "answer", "1.0.0", "production", change).hash
        before = path.read_text(encoding="utf-8")
        assert not move_label(Registry(root), "answer", "1.0.0", "production", replace(change, reason="again")).hash
        assert path.read_text(encoding="utf-8") == before
    assert verify(Registry(root), "answer") == []


def test_a_label_that_was_taken_away_begins_anew(root: Path, write: Write) -> None:
    for n in range(2):
        write(WORKING, f"user:\n{n} {{{{ question }}}}\n")
        move_label(Registry(root), "answer", commit(Registry(root), "answer", ME).version, "staging", ME)
    (root / "prompts/answer/versions/1.1.0.j2").unlink()
    assert unlabel(Registry(root), "answer", "staging", ME).version == "1.1.0"
    assert Registry(root).labels("answer") == {}
    for attempt in (unlabel, rollback):
        with pytest.raises(UsageError, match="no label 'staging'"):
            attempt(Registry(root), "answer", "staging", ME)
    move_label(Registry(root), "answer", "1.0.0", "staging", ME)
    with pytest.raises(UsageError, match="no version before 1"):
        rollback(Registry(root), "answer", "staging", ME)
    write("prompts/answer/versions/1.1.0.j2", "user:\n1 {{ question }}\n")
    assert verify(Registry(root), "answer") == []


@pytest.mark.parametrize("label", ["latest", "1.0.0", "git:x", "a b", "", "é"])
def test_names_that_mean_something_else_are_no_labels(root: Path, label: str) -> None:
    commit(Registry(root), "answer", ME)
    with pytest.raises(UsageError, match="cannot be a label"):
        move_label(Registry(root), "answer", "1.0.0", label, ME)


def test_the_name_of_the_newest_version_is_no_label_and_says_why(root: Path) -> None:
    commit(Registry(root), "answer", ME)
    with pytest.raises(UsageError, match="it always names the newest version"):
        move_label(Registry(root), "answer", "1.0.0", "latest", ME)


def test_a_label_needs_a_version_that_exists_and_was_not_edited(root: Path) -> None:
    commit(Registry(root), "answer", ME)
    with pytest.raises(UsageError, match=r"no version 1\.0\.9"):
        move_label(Registry(root), "answer", "1.0.9", "production", ME)
    path = root / "prompts/answer/versions/1.0.0.j2"
    path.write_text(path.read_text(encoding="utf-8").replace("Answers", "Answerz"), encoding="utf-8")
    with pytest.raises(InvalidFiles, match="edited after it was committed"):
        move_label(Registry(root), "answer", "1.0.0", "production", ME)


def test_an_edited_version_is_refused_however_it_is_named(root: Path, write: Write) -> None:
    made = commit(Registry(root), "answer", ME)
    move_label(Registry(root), "answer", "1.0.0", "production", ME)
    path = root / "prompts/answer/versions/1.0.0.j2"
    original = path.read_text(encoding="utf-8")
    path.write_text(original.replace("Answers", "Answerz"), encoding="utf-8")
    for which in ("1.0.0", "production", "latest", f"sha256:{made.hash}"):
        with pytest.raises(InvalidFiles, match="llmops prompt verify answer"):
            Registry(root).resolve(f"answer@{which}")
    path.write_text(original, encoding="utf-8")
    assert Registry(root).resolve("answer@1.0.0").hash == made.hash


def test_a_version_without_a_record_gets_no_label(root: Path, write: Write) -> None:
    write("prompts/answer/versions/1.0.0.j2", "user:\nhi\n")
    with pytest.raises(InvalidFiles, match="not recorded in the history"):
        move_label(Registry(root), "answer", "1.0.0", "production", ME)


@pytest.mark.parametrize("path", ["versions/1.0.0.j2", "versions/1.0.0.shared/rules.j2"])
def test_one_changed_character_of_a_version_is_found(root: Path, path: str) -> None:
    commit(Registry(root), "answer", ME)
    file = root / "prompts/answer" / path
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("e", "f", 1), encoding="utf-8")
    assert "version 1.0.0 was edited after it was committed" in messages(verify(Registry(root), "answer"))
    file.write_text(text.replace("\n", "\r\n"), encoding="utf-8")
    assert verify(Registry(root), "answer") == []


def overwrite(data: dict[str, Any], field: str, value: object) -> None:
    data["history"][1][field] = value


def edited_history(root: Path, edit: Edit) -> str:
    path = root / "prompts/answer/labels.yaml"
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(data)
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return messages(verify(Registry(root), "answer"))


def test_every_edit_of_the_history_is_found(root: Path, write: Write) -> None:
    commit(Registry(root), "answer", ME)
    move_label(Registry(root), "answer", "1.0.0", "production", ME)
    write(WORKING, "user:\nnew {{ question }}\n")
    commit(Registry(root), "answer", ME)
    original = (root / "prompts/answer/labels.yaml").read_text(encoding="utf-8")

    def tried(edit: Edit) -> str:
        (root / "prompts/answer/labels.yaml").write_text(original, encoding="utf-8")
        return edited_history(root, edit)

    assert tried(lambda d: None) == ""
    for field, value in (("by", "Somebody"), ("at", "2031"), ("reason", "x"), ("version", "1.1.0"), ("forced", True)):
        assert "entry 2 of the history was edited" in tried(partial(overwrite, field=field, value=value))
    assert "entry 2 of the history does not follow" in tried(
        lambda d: d["history"].pop(0) and d["history"].insert(0, d["history"][1])
    )
    assert "does not follow" in tried(lambda d: d["history"].pop(1))
    assert "does not follow" in tried(lambda d: d["history"].reverse())
    assert "not recorded in the history" in tried(lambda d: d["history"].pop())
    assert "its history ends at 1.0.0" in tried(lambda d: d["labels"].update(production="1.1.0"))
    assert (
        "points at 9.0.0, but its history ends at 1.0.0.\n    Labels move by commands alone. Write `production: 1.0.0`"
        in tried(lambda d: d["labels"].update(production="9.0.0"))
    )
    assert "its history ends at 1.0.0" in tried(lambda d: d.update(labels={}))
    assert "Take it out" in tried(lambda d: d["labels"].update(new="1.0.0"))
    with pytest.raises(UsageError, match=r"'new' of 'answer' has had no version before 1\.0\.0"):
        rollback(Registry(root), "answer", "new", ME)
    assert "unknown key" in tried(lambda d: d["history"][0].update(who="x"))


def test_a_missing_version_file_and_one_without_a_record_are_found(root: Path, write: Write) -> None:
    commit(Registry(root), "answer", ME)
    write("prompts/answer/versions/1.5.0.j2", "user:\nsneaked in\n")
    assert "version 1.5.0 is not recorded" in messages(verify(Registry(root), "answer"))
    with pytest.raises(InvalidFiles, match="is not recorded"):
        commit(Registry(root), "answer", ME)
    (root / "prompts/answer/versions/1.5.0.j2").unlink()
    (root / "prompts/answer/versions/1.0.0.j2").unlink()
    assert "its file is gone" in messages(verify(Registry(root), "answer"))


def test_a_commit_that_was_killed_before_its_record_is_repeated(root: Path) -> None:
    commit(Registry(root), "answer", ME)
    (root / "prompts/answer/labels.yaml").unlink()
    assert commit(Registry(root), "answer", ME).version == "1.0.0"
    assert check(Registry(root), "answer") == []


def test_two_branches_that_commit_a_version_conflict_visibly(root: Path, git: Git, write: Write) -> None:
    commit(Registry(root), "answer", ME)
    git("add", "-A")
    git("commit", "-q", "-m", "base")
    for branch in ("one", "two"):
        git("checkout", "-q", "-b", branch, "main")
        write(WORKING, f"{HEAD}user:\n{branch} {{{{ question }}}}\n")
        assert commit(Registry(root), "answer", ME).version == "1.1.0"
        git("add", "-A")
        git("commit", "-q", "-m", branch)
    git("merge", "one", ok=False)
    found = messages(check(Registry(root), "answer"))
    with pytest.raises(InvalidFiles, match="two branches"):
        Registry(root).labels("answer")
    assert f"{WORKING}:5: the merge of two branches is not resolved.\n    Keep the lines that shall stand" in found
    assert "edited" not in found
    assert "git checkout --ours -- prompts/answer/labels.yaml prompts/answer/versions" in found
    git("checkout", "--ours", "--", "prompts/answer/labels.yaml", "prompts/answer/versions")
    write(WORKING, f"{HEAD}user:\none {{{{ question }}}}\n")
    assert commit(Registry(root), "answer", ME).version == "1.2.0"
    assert check(Registry(root), "answer") == []
    assert Registry(root).resolve("answer@1.1.0").messages[0].source == "two {{ question }}"


def test_the_version_of_the_other_side_of_a_merge_is_told_with_what_to_do(root: Path, git: Git, write: Write) -> None:
    commit(Registry(root), "answer", ME)
    git("add", "-A")
    git("commit", "-q", "-m", "base")
    for branch, text in (("one", "user:\nnew {{ question }}\n"), ("two", "user:\n{# why #}{{ question }}\n")):
        git("checkout", "-q", "-b", branch, "main")
        write(WORKING, f"{HEAD}system:\n{{% include 'rules.j2' %}}\n{text}")
        commit(Registry(root), "answer", ME)
        git("add", "-A")
        git("commit", "-q", "-m", branch)
    git("merge", "one", ok=False)
    git("checkout", "--ours", "--", "prompts/answer/labels.yaml", "prompts/answer/versions")
    other = root / "prompts/answer/versions/1.1.0.j2"
    write(WORKING, f"{HEAD}user:\nmerged {{{{ question }}}}\n")
    told = "prompts/answer/versions/1.1.0.j2: version 1.1.0 is not recorded in the history.\n    Put its text into"
    assert told in messages(check(Registry(root), "answer"))
    with pytest.raises(InvalidFiles, match=r"delete this file, and commit: llmops prompt commit answer"):
        commit(Registry(root), "answer", ME)
    other.unlink()
    commit(Registry(root), "answer", ME)
    assert check(Registry(root), "answer") == []


def test_marks_of_a_merge_in_the_working_copy_alone_are_no_matter_of_versions(root: Path, write: Write) -> None:
    write(WORKING, "user:\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n")
    with pytest.raises(InvalidFiles, match="Keep the lines that shall stand") as refused:
        Registry(root).working_copy("answer")
    assert "checkout" not in str(refused.value)
    write(WORKING, "user:\n  <<<<<<< HEAD\n  a\n  =======\n  b\n  >>>>>>> x\n")
    assert Registry(root).working_copy("answer").messages


def test_a_history_that_holds_both_sides_of_a_merge_is_refused_with_a_way_out(root: Path, write: Write) -> None:
    commit(Registry(root), "answer", ME)
    path = root / "prompts/answer/labels.yaml"
    base = path.read_text(encoding="utf-8")
    sides = []
    for side in ("one", "two"):
        path.write_text(base, encoding="utf-8")
        (root / "prompts/answer/versions/1.1.0.j2").unlink(missing_ok=True)
        write(WORKING, f"{HEAD}user:\n{side} {{{{ question }}}}\n")
        commit(Registry(root), "answer", ME)
        sides.append(path.read_text(encoding="utf-8").removeprefix(base))
    path.write_text(base + "".join(sides), encoding="utf-8")
    assert "Two branches appended to it" in messages(verify(Registry(root), "answer"))


def test_concurrent_moves_lose_nothing(root: Path) -> None:
    commit(Registry(root), "answer", ME)

    def work(label: str) -> None:
        move_label(Registry(root), "answer", "1.0.0", label, ME)

    threads = [threading.Thread(target=work, args=(f"label-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Registry(root).labels("answer")) == 8
    assert verify(Registry(root), "answer") == []


def test_evidence_belongs_to_one_text(root: Path) -> None:
    digest = commit(Registry(root), "answer", ME).hash
    registry = Registry(root)
    assert read_evidence(registry, "answer", digest) is None
    path = write_evidence(registry, "answer", digest, {"verdict": "pass"})
    assert path == root / "prompts/answer/evidence" / f"{digest}.json"
    assert read_evidence(registry, "answer", digest) == {"verdict": "pass", "prompt_hash": digest}
    other = evidence_path(registry, "answer", "ab12")
    other.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(InvalidFiles, match="not evidence for this text"):
        read_evidence(registry, "answer", "ab12")
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InvalidFiles, match="not valid JSON.*\n.*Delete it, and run the suites again"):
        read_evidence(registry, "answer", digest)
    path.write_text('{\n<<<<<<< HEAD\n"a": 1\n=======\n"a": 2\n>>>>>>> two\n}\n', encoding="utf-8")
    with pytest.raises(InvalidFiles, match=r"json:2: the merge .*\n.*git checkout --ours -- prompts/answer/evidence/"):
        read_evidence(registry, "answer", digest)
    with pytest.raises(UsageError, match="not a content hash"):
        evidence_path(registry, "answer", "../../x")


def test_a_folder_that_cannot_be_written_is_told(root: Path) -> None:
    (root / "prompts/answer/versions").write_text("in the way", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^prompts/answer/versions/1\.0\.0\.shared/rules\.j2 cannot be written: "):
        commit(Registry(root), "answer", ME)
    assert not (root / "prompts/answer/labels.yaml").exists()
