"""A table that is too wide breaks names over several lines and cuts none off: two may differ in their last letters."""

from pathlib import Path

import pytest
from calling import FILES, call, project

PROMPT, MODEL, CHECK = "a-prompt-" + "p" * 51, "a-model-" + "m" * 51, "a-check-" + "c" * 51


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    suite = FILES["evals/say.yaml"].replace("[say]", f"[{PROMPT}]").replace("[small]", f"[{MODEL}]")
    suite = suite.replace("any: expected", f"any: expected, name: {CHECK}")
    files = {
        "llmops.yaml": FILES["llmops.yaml"].replace("small:", f"{MODEL}:"),
        f"prompts/{PROMPT}/prompt.j2": FILES["prompts/say/prompt.j2"],
        "evals/say.yaml": f"{suite}gate:\n  - {{metric: {CHECK}.pass_rate, min: 0.1}}\n",
    }
    made = project(tmp_path_factory.mktemp("wide"), **files)
    (made / "evals/say.yaml").rename(made / "evals" / f"{'s' * 60}.yaml")
    for _ in range(2):
        assert call(made, "eval", "-q").code in (0, 4)
    return made


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("runs list", ("s" * 60,)),
        ("runs show", (PROMPT, MODEL, CHECK)),
        ("prompt list", (PROMPT,)),
        (f"prompt diff {PROMPT} {PROMPT}", (MODEL,)),
        ("compare @last~1 @last", (PROMPT, MODEL, CHECK)),
        ("eval --explain --no-cache", (PROMPT, MODEL)),
    ],
)
def test_names_are_shown_whole(folder: Path, command: str, names: tuple[str, ...]) -> None:
    done = call(folder, *command.split())
    assert done.code == 0
    assert "\N{HORIZONTAL ELLIPSIS}" not in done.out
    for name in names:  # of which each letter but the beginning is the same, so that the lines need not be joined
        assert done.out.count(name[-1]) >= 51
