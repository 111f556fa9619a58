"""Tests of promptfoo as cases of a dataset."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmops.domain.errors import LlmopsError, Problem
from llmops.evaluation.case_files import read_file
from llmops.settings.files import Content, read_bytes, shown
from llmops.settings.lines import csv_rows, json_lines
from llmops.workflows.promptfoo.assertions import Entry, LeftOut, entry_of, filled, is_type, keys_of, templated
from llmops.workflows.promptfoo.providers import Models
from llmops.workflows.promptfoo.source import DATA, FILE, At, Source, mapping, unused

FILES = "files"
"""Folder beside the dataset for what its cases name."""
_EXPECTED = re.compile(r"\s*([a-z][a-z0-9-]*)(?:\(([0-9]*\.?[0-9]+)\))?(?::\s*(.*))?\Z", re.DOTALL)
"""A cell such as `similar(0.8): Hello` or `is-json` of a table's `__expected` columns."""
_SHORT = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
"""Other names of types there."""

_TEST = ("assert", "description", "metadata", "options", "vars")
_OPTIONS = ("disableVarExpansion", "provider", "transform")
"""Keys of a test and of its options that are carried over."""
_HOLD_AGAINST = {"hallucination", "context-relevance", "context-recall"}
"""Evaluators that read `contexts`, which are a variable `context` there."""
_QUESTION = {"answer-relevance", "context-relevance", "context-recall"}
"""Evaluators that read the variable `question`, which is `query` there."""

Json = dict[str, Any]
Placed = tuple[At, Json]
"""An assertion or a test with its place in the configuration."""


class Cases:
    """The tests of a configuration, and what all of them have."""

    def __init__(self, source: Source, models: Models) -> None:
        self.copied: dict[str, Content] = {}
        """The files of the cases, by their path beside the dataset."""
        self._source = source
        self._models = models
        self._default = mapping(source.loaded(source.config.get("defaultTest"), ("defaultTest",)))
        source.leave_others(self._default, _TEST, ("defaultTest",))
        source.leave_others(mapping(self._default.get("options")), _OPTIONS, ("defaultTest", "options"))
        entries, self._pushed = self._default_entries(self._default)
        self.entries = entries or [{"latency": {}}, {"cost": {}}]
        """What every case is held against: measured at least, under names that no case takes."""

    def all(self) -> list[Json]:
        """The cases, each with an id of its own."""
        given = self._source.config.get("tests") or []
        placed = itertools.chain(self._tests(given, ("tests",)), self._scenarios())
        return list(_with_ids([case for at, test in placed for case in self._cases(test, at)]))

    def _scenarios(self) -> Iterator[Placed]:
        """Each test of each scenario with each of its sets of data."""
        given = self._source.config.get("scenarios")
        for number, each in enumerate(_listed(given)):
            at: At = ("scenarios", number)
            scenario = mapping(self._source.loaded(each, at))
            self._source.leave_others(scenario, ("config", "description", "tests"), at)
            data = [self._read(*each) for each in self._tests(scenario.get("config") or [{}], (*at, "config"))]
            tests = [
                (place, self._read(place, test)) for place, test in self._tests(scenario.get("tests") or [{}], (*at, "tests"))
            ]
            yield from ((place, _joined(one, test)) for one in data for place, test in tests)

    def _read(self, at: At, test: Json) -> Json:
        """A test with the variables that a file may hold."""
        return {**test, "vars": mapping(self._source.loaded(test.get("vars"), (*at, "vars")))}

    def _tests(self, given: Any, above: At) -> Iterator[Placed]:  # noqa: ANN401 -- any value of YAML
        """Each test with its place in the configuration, also those of files."""
        for number, each in enumerate(given if isinstance(given, list) else [given]):
            at = (*above, number) if isinstance(given, list) else above
            if isinstance(each, dict) and "path" not in each:
                yield at, each
                continue
            try:
                yield from ((at, test) for test in self._tests_of(str(mapping(each).get("path", each))))
            except LlmopsError as error:
                self._source.leave(at, error.message.rstrip("."))

    def _tests_of(self, reference: str) -> Iterator[Json]:
        if "://" in reference and not reference.startswith(FILE):
            raise LeftOut(f"{reference!r} is no file; load it into one")
        folder = self._source.folder
        for path in self._source.places(reference):
            if path.suffix == ".csv":
                yield from (_of_row(_checked(row).value) for row in csv_rows(path, folder))
            elif path.suffix == ".jsonl":
                yield from (mapping(_checked(row).value) for row in json_lines(path, folder))
            elif path.suffix in DATA:
                found = self._source.data(path)
                yield from (mapping(test) for test in (found if isinstance(found, list) else [found]))
            else:
                raise LeftOut(f"{reference!r} is no CSV, JSON, JSONL or YAML file")

    def _cases(self, test: Json, at: At) -> Iterator[Json]:
        """The cases of a test: one for each combination of variables that hold lists."""
        self._source.leave_others(test, _TEST, at)
        given = mapping(self._source.loaded(test.get("vars"), (*at, "vars")))
        vars = {name: self._each_file(value) for name, value in {**mapping(self._default.get("vars")), **given}.items()}
        self._source.leave_others(mapping(test.get("options")), _OPTIONS, (*at, "options"))
        options = {**mapping(self._default.get("options")), **mapping(test.get("options"))}
        spread = not options.get("disableVarExpansion")
        names = [name for name, value in vars.items() if spread and isinstance(value, list)]
        for values in itertools.product(*(vars[name] for name in names)):
            chosen = self._filled({**vars, **dict(zip(names, values, strict=True))}, (*at, "vars"))
            case: Json = {"id": str(test.get("description") or ""), **self._variables(chosen, (*at, "vars"))}
            if metadata := {**mapping(self._default.get("metadata")), **mapping(test.get("metadata"))}:
                case["metadata"] = metadata
            own: list[Entry] = []
            for place, assertion in [*self._pushed, *self._asserts(test, at)]:
                if entry := self._entry(place, assertion, chosen, options):
                    own.append(_named(entry, [*self.entries, *own]))
            asked = {kind for each in (*self.entries, *own) for kind in each}
            if "query" in chosen and _QUESTION & asked:
                case["vars"].setdefault("question", chosen["query"])
            contexts = self._contexts(chosen) if _HOLD_AGAINST & asked else {}
            yield {**case, **contexts, **({"evaluators": own} if own else {})}

    def _filled(self, vars: Json, at: At) -> Json:
        """The variables, with those that stand in the text of others."""
        found = dict(vars)
        for name, value in vars.items():
            try:
                found[name] = filled(value, vars)
            except LlmopsError as error:
                self._source.leave((*at, name), f"its template, which stays as text: it {error.message}")
        return found

    def _each_file(self, value: Any) -> Any:  # noqa: ANN401 -- any value of YAML
        """The files that fit a pattern, in place of it."""
        if not isinstance(value, str) or not value.startswith(FILE) or "*" not in value:
            return value
        try:
            return [f"{FILE}{shown(path, self._source.folder)}" for path in self._source.places(value)]
        except LeftOut:
            return value  # told with the variable

    def _contexts(self, vars: Json) -> Json:
        """The passages that evaluators of a case hold its answer against: its variable `context`."""
        try:
            text = self._source.of_file(vars.get("context"))
        except LlmopsError:
            return {}  # told with the variable
        return {"contexts": [text]} if isinstance(text, str) else {}

    def _variables(self, vars: Json, at: At) -> Json:
        """`vars` and `files` of a case; what a file holds as data becomes the value itself."""
        values: Json = {}
        files: dict[str, str] = {}
        for name, value in vars.items():
            if not isinstance(value, str) or not value.startswith(FILE):
                values[name] = value
                continue
            try:
                path = self._source.place(value)
                if path.suffix in DATA:
                    values[name] = self._source.data(path)
                    continue
                read_file(path, self._source.folder)
                files[name] = f"{FILES}/{shown(path, self._source.folder)}"
                self.copied[files[name]] = read_bytes(path, self._source.folder)
            except LlmopsError as error:
                self._source.leave((*at, name), error.message.rstrip("."))
        return {"vars": values, **({"files": files} if files else {})}

    def _asserts(self, test: Json, at: At) -> Iterator[Placed]:
        """The assertions of a test; those of a set stand for themselves."""
        for number, written in enumerate(_listed(test.get("assert"))):
            place, each = (*at, "assert", number), self._source.referred(written)
            if not isinstance(each, dict):
                self._source.leave(place, "it is no assertion that can be found")
            elif each.get("type") != "assert-set":
                yield place, each
            elif "threshold" in each:
                self._source.leave(place, "a set with a `threshold` has no counterpart")
            else:
                self._source.leave_others(each, ("type", "assert"), place)
                yield from self._asserts(each, place)

    def _entry(self, at: At, assertion: Json, vars: Mapping[str, Any], options: Json) -> Entry | None:
        """An assertion as an evaluator; None: it is left out, and told."""
        self._source.leave_others(assertion, keys_of(assertion), at)
        if assertion.get("weight") == 0:
            self._source.leave((*at, "weight"), "an evaluator that weighs nothing fails a case here all the same")
        provider = assertion.get("provider") or options.get("provider")
        try:
            value = filled(self._source.of_file(filled(assertion.get("value"), vars)), vars)
            before = {"transform": options["transform"]} if "transform" in options else {}
            return entry_of({**before, **assertion, "value": value}, lambda: self._models.judge(at, provider))
        except LlmopsError as error:
            self._source.leave(at, error.message.rstrip("."))
            return None

    def _default_entries(self, default: Json) -> tuple[list[Entry], list[Placed]]:
        """The suite's evaluators, and the assertions that each case has in its own form."""
        entries: list[Entry] = []
        pushed: list[Placed] = []
        for at, each in self._asserts(default, ("defaultTest",)):
            if self._is_templated(each.get("value")):
                pushed.append((at, each))
            elif entry := self._entry(at, each, {}, mapping(default.get("options"))):
                entries.append(_named(entry, entries))
        return entries, pushed

    def _is_templated(self, value: Any) -> bool:  # noqa: ANN401 -- any value of YAML
        """Whether a value, or the file that it names, holds templates."""
        try:
            return templated(value) or templated(self._source.of_file(value))
        except LlmopsError:
            return False  # told with the assertion


def _joined(data: Json, test: Json) -> Json:
    """A test of a scenario with one of its sets of data; of two values for a key the test's own holds."""
    asserts = [each for one in (data, test) for each in _listed(one.get("assert"))]
    both = {key: {**mapping(data.get(key)), **mapping(test.get(key))} for key in ("metadata", "options", "vars")}
    return {**data, **test, **{key: value for key, value in both.items() if value}, "assert": asserts}


def _listed(given: Any) -> list[Any]:  # noqa: ANN401 -- any value of YAML
    return given if isinstance(given, list) else [given] if given else []


def _checked(row: Any) -> Any:  # noqa: ANN401 -- a row, or what is wrong with it
    if isinstance(row, Problem):
        raise LeftOut(str(row))
    return row


def _of_row(row: Mapping[str, str]) -> Json:
    """A row of a table as a test: columns with two underscores in front mean something."""
    test: Json = {"vars": {name: value for name, value in row.items() if not name.startswith("__")}}
    expected: dict[str, Json] = {}
    for name, value in row.items():
        if not name.startswith("__") or not value:
            continue
        if re.fullmatch(r"__expected\d*", name):
            expected[name] = _expected(value)
        elif name == "__description":
            test["description"] = value
        elif name.startswith("__metadata:"):
            key = name.removeprefix("__metadata:")
            values = [each.strip() for each in value.split(",")] if key.endswith("[]") else value
            test.setdefault("metadata", {})[key.removesuffix("[]")] = values
        elif name not in ("__metric", *_of_expected(row)):
            test[name] = value  # which is told
    for name, (place, key) in _of_expected(row).items():
        if place in expected and row[name]:
            number = re.fullmatch(r"[0-9.]+", row[name])
            expected[place][key] = float(row[name]) if number else row[name]
    metric = {"metric": row["__metric"]} if row.get("__metric") else {}
    return {**test, "assert": [{**metric, **each} for each in expected.values()]}


def _of_expected(row: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Columns such as `__config:__expected2:threshold`, each with the column it is about and the key of its assertion."""
    found = ((name, re.fullmatch(r"__config:(__expected\d*):(\w+)", name)) for name in row)
    return {name: (match[1], match[2]) for name, match in found if match}


def _expected(text: str) -> Json:
    """The assertion that a cell stands for."""
    found = _EXPECTED.match(text)
    if found is None:
        return {"type": "equals", "value": text}
    alone = found[3] is None
    kind = found[1] if alone else _SHORT.get(found[1], found[1])
    if not is_type(kind, alone=alone):
        return {"type": "equals", "value": text}
    limit = {"threshold": float(found[2])} if found[2] else {}
    return {"type": kind, "value": found[3], **limit}


def _named(entry: Entry, others: Sequence[Entry]) -> Entry:
    """An entry under a name that no other has."""
    kind, options = next(iter(entry.items()))
    taken = {other.get("name", key) for each in others for key, other in each.items()}
    name = str(options.get("name", kind))
    found = unused(name, taken)
    return entry if found == name else {kind: {**options, "name": found}}


def _with_ids(cases: Sequence[Json]) -> Iterator[Json]:
    """The cases with ids of their own: the description of their test, or their number."""
    taken: set[str] = set()
    for number, case in enumerate(cases, start=1):
        name = unused(case["id"][:200] or str(number), taken)
        taken.add(name)
        yield {**case, "id": name}
