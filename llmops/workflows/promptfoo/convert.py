"""A configuration of promptfoo as the files of a project: models, prompts, a dataset and a suite."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from llmops.domain.errors import InvalidFiles, LlmopsError, Problem
from llmops.domain.records import record
from llmops.prompting.exchange import import_prompts
from llmops.prompting.registry import PROMPTS, WORKING_COPY, name_from
from llmops.prompting.template import PromptVersion, parse_prompt
from llmops.settings.files import Content, read_text, shown
from llmops.settings.lines import csv_rows
from llmops.workflows.promptfoo.assertions import LeftOut
from llmops.workflows.promptfoo.cases import Cases, Json
from llmops.workflows.promptfoo.providers import Models
from llmops.workflows.promptfoo.source import DATA, FILE, PROGRAMS, Source, mapping, unused

NAME = "promptfoo"
"""Of the dataset and the suite."""
_PROMPT_FILE = re.compile(rf"[^\s{{}}]+\.(?:csv|j2|jsonl?|md|txt|ya?ml|{PROGRAMS})(?::\w+)?")
"""A text that stands for a file, with `file://` or without."""
_EXEC = "exec:"
_CHAT = re.compile(r"\s*\[\s*\{")
"""How a list of messages begins; `[INST]` opens a text."""
_KEYS = {
    *("$schema", "assertionTemplates", "defaultTest", "description", "evaluateOptions", "prompts", "providers", "targets"),
    *("scenarios", "tests"),
}
"""Of a configuration, those that are carried over."""


@record
class Converted:
    """What a configuration becomes."""

    files: Mapping[str, Content]
    """By path in the project."""
    left_out: tuple[Problem, ...]
    """What has no counterpart, each with its place in the configuration."""


def convert(path: Path) -> Converted:
    """A configuration and the files that it names; only what lies in its folder is read.

    Raises:
        UsageError: it cannot be read, or holds no prompt, no provider or no test that can be carried over.
    """
    source = Source(path)
    source.leave_others(source.config, _KEYS, ())
    source.leave_others(mapping(source.config.get("evaluateOptions")), ("repeat",), ("evaluateOptions",))
    models = Models(source)
    prompts, targets = _prompts(source), models.targets()
    tests = Cases(source, models)
    cases = _with_empty(tests.all(), prompts.values())
    for what, found in (("prompt", prompts), ("provider", targets), ("test", cases)):
        if not found:
            raise InvalidFiles([*source.left_out, Problem(source.file, f"holds no {what} that can be carried over.")])
    suite = {
        "description": str(source.config.get("description") or "From promptfoo."),
        "dataset": f"datasets/{NAME}.jsonl",
        "prompts": list(prompts),
        "targets": targets,
        **_repeat(source),
        "evaluators": tests.entries,
        "gate": [{"no_failures": {"tags": []}}],
    }
    files: dict[str, Content] = {
        "llmops.yaml": _yaml({"models": models.settings}),
        **{f"{PROMPTS}/{name}/{WORKING_COPY}": f"{prompt.text}\n" for name, prompt in prompts.items()},
        f"datasets/{NAME}.jsonl": "".join(json.dumps(case, ensure_ascii=False) + "\n" for case in cases),
        **{f"datasets/{place}": data for place, data in tests.copied.items()},
        f"evals/{NAME}.yaml": _yaml(suite),
    }
    return Converted(files, tuple(sorted(source.left_out, key=lambda problem: problem.line or 0)))


def _repeat(source: Source) -> dict[str, Any]:
    repeat = mapping(source.config.get("evaluateOptions")).get("repeat")
    return {"repeat": repeat} if isinstance(repeat, int) and repeat > 1 else {}


def _prompts(source: Source) -> dict[str, PromptVersion]:
    """Each prompt by its name."""
    found: dict[str, PromptVersion] = {}
    given = _entries(source)
    for number, each in enumerate(given if isinstance(given, list) else [given]):
        at = ("prompts", number) if isinstance(given, list) else ("prompts",)
        source.leave_others(mapping(each), ("id", "raw", "label"), at)
        try:
            for label, text in _prompts_of(each, source):
                name = unused(name_from(label) or "prompt", found)
                found[name] = parse_prompt(text, file=f"{PROMPTS}/{name}/{WORKING_COPY}", shared={})
        except LlmopsError as error:
            source.leave(at, error.message.rstrip("."))
    return found


def _with_empty(cases: Sequence[Json], prompts: Iterable[PromptVersion]) -> list[Json]:
    """The cases with an empty text for each variable of a prompt that only others have: Nunjucks renders it to nothing."""
    has = [{*case["vars"], *case.get("files", ())} for case in cases]
    read = set[str]().union(*has) & set[str]().union(*(prompt.used_variables for prompt in prompts))
    return [
        {**case, "vars": {**case["vars"], **dict.fromkeys(sorted(read - names), "")}}
        for case, names in zip(cases, has, strict=True)
    ]


def _entries(source: Source) -> Any:  # noqa: ANN401 -- any value of YAML
    """The entries of `prompts`, which a file may list; a file of chat messages is one of them."""
    given = source.config["prompts"]
    if not isinstance(given, str) or not given.endswith(DATA):
        return given
    found = source.loaded(given, ("prompts",))
    return given if found is None or "role" in mapping(found[0] if isinstance(found, list) and found else None) else found


def _prompts_of(given: Any, source: Source) -> Iterator[tuple[str, str]]:  # noqa: ANN401 -- any value of YAML
    """Name and text of each prompt that an entry stands for."""
    entry = given if isinstance(given, dict) else {"raw": given}
    text, label = entry.get("raw") or entry.get("id"), entry.get("label")
    if not isinstance(text, str):
        raise LeftOut("it is no text")
    if text.startswith(_EXEC):
        raise LeftOut(f"{text!r} is a program")
    if "\n" in text or not (text.startswith(FILE) or _PROMPT_FILE.fullmatch(text) or (source.folder / text).is_file()):
        chat = ".yaml" if text.lstrip().startswith("- role:") else ".json" if _CHAT.match(text) else ""
        for found in import_prompts(text, f"prompt{chat}", "promptfoo"):
            yield str(label or "prompt"), found.text
        return
    for each in source.places(text):
        if each.suffix == ".csv":
            yield from _of_table(each, source)
            continue
        for found in import_prompts(read_text(each, source.folder), shown(each, source.folder), "promptfoo"):
            yield str(label or each.stem), found.text


def _of_table(path: Path, source: Source) -> Iterator[tuple[str, str]]:
    """The prompts of a CSV file: its column `prompt`, with names in `label`."""
    for row in csv_rows(path, source.folder):
        if isinstance(row, Problem):
            raise LeftOut(str(row))
        for found in import_prompts(row.value.get("prompt") or "", shown(path, source.folder), "promptfoo"):
            yield row.value.get("label") or path.stem, found.text


def _yaml(data: dict[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
