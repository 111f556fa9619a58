import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from calling import call, project

from llmops.cli import doctor


def test_a_project_that_stands_is_told_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    done = call(project(tmp_path), "doctor")
    assert done.code == 0
    for part in ("python", "weights minilm", "weights detectors/toxicity", "SOME_KEY is not set", "writable"):
        assert part in done.out


def test_a_narrow_terminal_gets_every_note_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown = "".join(line.split(maxsplit=1)[-1].strip() for line in call(project(tmp_path), "doctor").out.splitlines())
    assert "…" not in shown
    assert str(tmp_path)[-20:] in shown.replace(" ", "")


def test_a_missing_extra_is_told_with_its_command_and_a_missing_core_package_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name in missing:
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "version", version)
    missing = {"torch", "sentence-transformers"}
    done = call(project(tmp_path), "doctor")
    assert done.code == 0
    assert "pip install 'llmops[local]'" in done.out
    missing = {"chromadb"}
    assert call(tmp_path, "doctor").code == 1


def test_without_a_project_the_installation_is_still_judged(tmp_path: Path) -> None:
    done = call(tmp_path, "doctor")
    assert done.code == 0
    assert "llmops init" in done.out


def test_a_broken_project_and_a_broken_store_fail(tmp_path: Path) -> None:
    store = project(tmp_path) / ".llmops/llmops.db"
    store.parent.mkdir()
    store.write_bytes(b"no database" * 100)
    done = call(tmp_path, "doctor")
    assert done.code == 1
    assert "corrupt" in done.out
    (tmp_path / "llmops.yaml").write_text("models: [\n")
    assert call(tmp_path, "doctor").code == 1


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys, runpy; sys.argv = ['llmops', 'doctor']\n"
        "try:\n    from llmops.cli.main import main; main()\n"
        "except SystemExit:\n    pass\n"
        "print({'litellm', 'chromadb', 'torch', 'transformers', 'onnxruntime', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project(tmp_path), env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"
