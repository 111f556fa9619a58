"""A configuration of promptfoo, from `init --from` to its verdict."""

from pathlib import Path

import pytest
from command_line import llmops, report, write
from openai_server import OpenAiServer

CONFIG = """description: Greets people
prompts:
  - 'Greet {{name}} in {{language}}'
  - file://chat.json
providers:
  - id: openai:chat:m
    label: Mine
    config: {temperature: 0, apiBaseUrl: BASE}
defaultTest:
  assert:
    - {type: icontains, value: '{{name}}'}
    - {type: javascript, value: output.length < 100}
tests:
  - description: twice
    vars: {name: [Ada, Alan], language: French}
  - file://more.csv
"""
CHAT = '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{name}}, {{language}}"}]'


@pytest.fixture
def folder(tmp_path: Path, server: OpenAiServer) -> Path:
    files = {"chat.json": CHAT, "more.csv": "name,language,__expected\nGrace,en,contains: Greet\n"}
    return write(tmp_path, {"promptfooconfig.yaml": CONFIG.replace("BASE", server.base), **files})


def test_it_runs_as_it_is_and_says_what_it_has_left_out(folder: Path, server: OpenAiServer) -> None:
    made = llmops(folder, "init", "new", "--from", "promptfooconfig.yaml")
    assert made.returncode == 0
    left = "promptfooconfig.yaml:12:7: `defaultTest.assert[1]`: left out: `javascript` is a program"
    assert [line for line in made.stdout.splitlines() if "left out" in line][0].startswith(left)
    assert "Next: cd new && llmops validate && llmops eval --explain" in made.stdout
    assert llmops(folder / "new", "validate").returncode == 0
    done = llmops(folder / "new", "eval", "--json")
    assert done.returncode == 1  # the second prompt does not say Greet
    assert report(done)["counts"]["scored"] == 6
    assert server.prompts["Greet Alan in French"] == 1
    assert server.prompts["Grace, en"] == 1


def test_no_file_is_overwritten(folder: Path) -> None:
    (folder / "llmops.yaml").write_text("models: {}\n")
    done = llmops(folder, "init", "--from", "promptfooconfig.yaml")
    assert done.returncode == 2
    assert "already has llmops.yaml" in done.stderr
    assert not (folder / "prompts").exists()


@pytest.mark.parametrize(
    ("name", "told"), [("lost.yaml", "lost.yaml: no such file"), ("chat.json", "is no configuration of promptfoo")]
)
def test_what_is_no_configuration_is_refused(folder: Path, name: str, told: str) -> None:
    done = llmops(folder, "init", "new", "--from", name)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (folder / "new").exists()
