"""Finding prompts by reference."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llmops.domain.errors import InvalidFiles, UsageError
from llmops.prompting.git import author_name
from llmops.prompting.registry import Reference, Registry
from llmops.prompting.versions import Change, commit, move_label
from llmops.settings.files import read_text

Write = Callable[[str, str], None]
Git = Callable[..., str]

ME = Change("Tester", "because")


def test_a_working_copy_is_loaded_with_its_shared_files(root: Path) -> None:
    version = Registry(root).working_copy("answer")
    assert version.name == "answer"
    assert version.version is None
    assert version.file == "prompts/answer/prompt.j2"
    assert version.render({"question": "x"})[0].content == "Be brief."


def test_names_lists_prompts_alone(root: Path) -> None:
    (root / "prompts" / "README.md").write_text("x", encoding="utf-8")
    (root / "prompts" / "Not a name").mkdir()
    assert Registry(root).names() == ["answer"]
    assert Registry(root / "prompts").names() == []


@pytest.mark.parametrize("name", ["../answer", "..", "_shared", "Answer", "a/b", "", "a\n", "-x"])
@pytest.mark.parametrize("which", ["", "@1.0.0", "@git:HEAD", "@sha256:abcd", "@latest"])
def test_what_is_no_name_is_refused(root: Path, name: str, which: str) -> None:
    with pytest.raises(UsageError, match="not a prompt name"):
        Registry(root).resolve(f"{name}{which}")


def test_the_path_of_a_prompt_is_told_to_be_its_name(root: Path) -> None:
    for path in ("prompts/answer/prompt.j2", "prompts/answer", "answer/prompt.j2"):
        with pytest.raises(UsageError) as caught:
            Registry(root).resolve(path)
        assert caught.value.hint == "Did you mean `answer`?"


def test_an_unknown_prompt_gets_the_nearest_name(root: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Registry(root).resolve("anwser@latest")
    assert caught.value.hint == "Did you mean `answer`?"


def test_a_link_out_of_the_project_is_not_read(root: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret", encoding="utf-8")
    for name, target in (("stolen", tmp_path / "key"), ("linked", root / "prompts/answer/prompt.j2")):
        (root / "prompts" / name).mkdir()
        (root / "prompts" / name / "prompt.j2").symlink_to(target)
    with pytest.raises(InvalidFiles, match=r"^prompts/stolen/prompt\.j2: leads out of the project through a link\."):
        Registry(root).working_copy("stolen")
    assert Registry(root).working_copy("linked").messages


def test_a_folder_without_working_copy_is_told(root: Path) -> None:
    (root / "prompts" / "empty").mkdir()
    with pytest.raises(InvalidFiles, match=r"prompts/empty/prompt\.j2: no such file"):
        Registry(root).working_copy("empty")


def test_shared_files_stay_inside_their_folder(root: Path) -> None:
    (root / "secret.txt").write_text("s3cret", encoding="utf-8")
    (root / "prompts" / "_shared" / "link.j2").symlink_to(root / "secret.txt")
    for name in ("../../secret.txt", "link.j2", "/etc/passwd", "a\\b", ""):
        (root / "prompts" / "answer" / "prompt.j2").write_text(f"user:\n{{% include {name!r} %}}\n", encoding="utf-8")
        with pytest.raises(InvalidFiles, match="there is no"):
            Registry(root).working_copy("answer")
    assert list(Registry(root).shared) == ["rules.j2"]


def test_references_name_versions_labels_and_hashes(root: Path, write: Write) -> None:
    first = commit(Registry(root), "answer", ME)
    write("prompts/_shared/rules.j2", "Be kind.\n")
    second = commit(Registry(root), "answer", ME)
    move_label(Registry(root), "answer", "1.0.0", "production", ME)
    registry = Registry(root)
    assert registry.resolve("answer@1.0.0").hash == first.hash
    assert registry.resolve("answer@production").version == "1.0.0"
    assert registry.resolve("answer@latest").version == second.version == "1.1.0"
    assert registry.resolve(f"answer@sha256:{first.hash[:8]}").version == "1.0.0"
    assert registry.resolve(f"answer@sha256:{second.hash}").version == "1.1.0"
    assert registry.resolve("answer@1.0.0").render({"question": "x"})[0].content == "Be brief."
    write("prompts/answer/prompt.j2", "user:\nnew\n")
    working = Registry(root).working_copy("answer").hash
    assert Registry(root).resolve(f"answer@sha256:{working[:10]}").version is None


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("answer@1.0.1", "Did you mean `1.0.0`?"),
        ("answer@prodution", "Did you mean `production`?"),
        ("answer@", "ends in `@`"),
        ("answer@sha256:xyz", "not a content hash"),
        ("answer@sha256:ab", "not a content hash"),
        ("answer@sha256:00000000000000000000000000000000", "no version of 'answer'"),
        ("answer@git:--help", "not a git revision"),
        ("answer@git:main..dev", "not a git revision"),
        ("answer@git:main:secret", "not a git revision"),
        ("answer@git:a b", "not a git revision"),
        ("answer@git:", "not a git revision"),
        ("answer@merge-base:-x", "not a git revision"),
        ("answer@git:HEAD", "git finds no repository here"),
    ],
)
def test_a_reference_to_nothing_is_explained(root: Path, reference: str, said: str) -> None:
    commit(Registry(root), "answer", ME)
    move_label(Registry(root), "answer", "1.0.0", "production", ME)
    with pytest.raises(UsageError) as caught:
        Registry(root).resolve(reference)
    assert said in str(caught.value)


def test_latest_without_versions_says_how_to_make_one(root: Path) -> None:
    with pytest.raises(UsageError, match="llmops prompt commit answer"):
        Registry(root).resolve("answer@latest")


def test_the_author_is_gits_user_or_the_account(root: Path, git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("USERNAME", "LOGNAME"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("USER", "account")
    assert author_name(root) == "account"
    git("config", "user.name", "Grace")
    assert author_name(root) == "Grace"


def test_reference_parts() -> None:
    assert Reference.parse("a@git:feature/x@{1}") == Reference("a", "git:feature/x@{1}")
    assert Reference.parse("a") == Reference("a")


def test_git_references_read_that_revision_and_its_shared_files(root: Path, git: Git, write: Write) -> None:
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    git("tag", "v1")
    write("prompts/_shared/rules.j2", "Be kind.\n")
    write("prompts/answer/prompt.j2", "system:\n{% include 'rules.j2' %}\nuser:\nnew {{ question }}\n")
    git("commit", "-q", "-a", "-m", "two")
    write("prompts/_shared/rules.j2", "Uncommitted.\n")
    registry = Registry(root)
    old = registry.resolve("answer@git:v1").render({"question": "q"})
    assert [m.content for m in old] == ["Be brief.", "q"]
    new = registry.resolve("answer@git:HEAD").render({"question": "q"})
    assert [m.content for m in new] == ["Be kind.", "new q"]
    assert registry.resolve("answer@git:HEAD~1").hash == registry.resolve("answer@git:v1").hash
    with pytest.raises(UsageError, match="no revision 'nowhere'"):
        registry.resolve("answer@git:nowhere")
    write("prompts/late/prompt.j2", "user:\nx\n")
    with pytest.raises(InvalidFiles, match="no such file at the revision 'v1'"):
        registry.resolve("late@git:v1")


@pytest.mark.parametrize("folder", ["", "sub"])
def test_a_renamed_prompt_is_followed_to_an_earlier_revision(root: Path, git: Git, folder: str) -> None:
    project = root / folder
    if folder:
        project.mkdir()
        (root / "prompts").rename(project / "prompts")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    git("mv", f"{project}/prompts/answer", f"{project}/prompts/reply")
    for _ in range(2):  # staged, then committed
        found = Registry(project).resolve("reply@git:main")
        assert (found.name, found.file) == ("reply", "prompts/answer/prompt.j2 at main")
        assert [m.content for m in found.render({"question": "q"})] == ["Be brief.", "q"]
        git("checkout", "-q", "-B", "feature")
        git("commit", "-q", "--allow-empty", "-m", "two")


def test_a_project_in_a_subfolder_of_the_repository_works(root: Path, git: Git) -> None:
    inner = root / "sub"
    inner.mkdir()
    (root / "prompts").rename(inner / "prompts")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    assert Registry(inner).resolve("answer@git:HEAD").render({"question": "q"})[0].content == "Be brief."


def test_merge_base_is_where_the_branches_parted(root: Path, git: Git, write: Write) -> None:
    git("add", "-A")
    git("commit", "-q", "-m", "base")
    git("checkout", "-q", "-b", "feature")
    write("prompts/answer/prompt.j2", "user:\nfeature {{ question }}\n")
    git("commit", "-q", "-a", "-m", "feature")
    git("checkout", "-q", "main")
    write("prompts/answer/prompt.j2", "user:\nmain {{ question }}\n")
    git("commit", "-q", "-a", "-m", "main")
    git("checkout", "-q", "feature")
    registry = Registry(root)
    assert registry.resolve("answer@git:main").render({"question": "q"})[0].content == "main q"
    assert registry.resolve("answer@merge-base:main").render({"question": "q"})[0].content == "Be brief."


def test_a_shallow_clone_gets_the_command_to_deepen_it(root: Path, git: Git, write: Write, tmp_path: Path) -> None:
    git("add", "-A")
    git("commit", "-q", "-m", "base")
    git("checkout", "-q", "-b", "feature")
    write("prompts/answer/prompt.j2", "user:\nfeature\n")
    git("commit", "-q", "-a", "-m", "feature")
    git("checkout", "-q", "main")
    write("prompts/answer/prompt.j2", "user:\nmain\n")
    git("commit", "-q", "-a", "-m", "main")
    clone = tmp_path / "clone"
    git("clone", "-q", "--depth", "1", "--no-single-branch", f"file://{root}", str(clone), cwd=tmp_path)
    with pytest.raises(UsageError, match="git fetch --unshallow"):
        Registry(clone).resolve("answer@merge-base:origin/feature")
    with pytest.raises(UsageError, match="git fetch --unshallow"):
        Registry(clone).resolve("answer@git:HEAD~1")


def test_a_listing_parses_no_template(root: Path, write: Write) -> None:
    commit(Registry(root), "answer", ME)
    move_label(Registry(root), "answer", "1.0.0", "production", ME)
    write("prompts/answer/versions/1.10.0.j2", "{% broken")
    write("prompts/answer/versions/1.9.0.j2", "{% broken")
    write("prompts/answer/versions/notes.txt", "x")
    assert Registry(root).versions("answer") == ["1.0.0", "1.9.0", "1.10.0"]
    assert Registry(root).labels("answer") == {"production": "1.0.0"}


def test_listing_many_prompts_reads_their_labels_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(200):
        folder = tmp_path / "prompts" / f"p{n}" / "versions"
        folder.mkdir(parents=True)
        for minor in range(20):
            (folder / f"1.{minor}.0.j2").touch()
        (folder.parent / "labels.yaml").write_text("labels:\n  production: 1.2.0\nhistory:\n" + "- x\n" * 500, encoding="utf-8")
    read: list[Path] = []

    def reading(path: Path, root: Path, **limits: int) -> str:
        read.append(path)
        return read_text(path, root, **limits)

    monkeypatch.setattr("llmops.prompting.ledger.read_text", reading)
    monkeypatch.setattr("llmops.prompting.registry.read_text", reading)
    registry = Registry(tmp_path)
    assert all(registry.labels(name) == {"production": "1.2.0"} for name in registry.names())
    assert {path.name for path in read} == {"labels.yaml"}
    assert len(read) == 200
