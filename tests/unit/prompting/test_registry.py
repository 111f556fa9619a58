"""Finding prompts by reference."""

from pathlib import Path

import pytest

from llmops.domain.errors import InvalidFiles, UsageError
from llmops.prompting.registry import Registry


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "prompts" / "answer"
    folder.mkdir(parents=True)
    (folder / "prompt.j2").write_text("system:\n{% include 'rules.j2' %}\nuser:\n{{ question }}\n", encoding="utf-8")
    (tmp_path / "prompts" / "_shared").mkdir()
    (tmp_path / "prompts" / "_shared" / "rules.j2").write_text("Be brief.\n", encoding="utf-8")
    return tmp_path


def test_a_working_copy_is_loaded_with_its_shared_files(root: Path) -> None:
    version = Registry(root).working_copy("answer")
    assert version.name == "answer"
    assert version.file == "prompts/answer/prompt.j2"
    assert version.render({"question": "x"})[0].content == "Be brief."


def test_names_lists_prompts_alone(root: Path) -> None:
    (root / "prompts" / "README.md").write_text("x", encoding="utf-8")
    (root / "prompts" / "Not a name").mkdir()
    assert Registry(root).names() == ["answer"]
    assert Registry(root / "prompts").names() == []


@pytest.mark.parametrize("name", ["../answer", "..", "_shared", "Answer", "a/b", "", "a\n", "-x"])
def test_what_is_no_name_is_refused(root: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a prompt name"):
        Registry(root).working_copy(name)


def test_an_unknown_prompt_gets_the_nearest_name(root: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Registry(root).working_copy("anwser")
    assert caught.value.hint == "Did you mean `answer`?"


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
