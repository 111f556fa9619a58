"""`llmops score`: evaluators over answers that exist already, such as a production log, line by line."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, starmap, takewhile
from pathlib import Path
from shutil import copyfileobj
from typing import Any

from llmops.domain.cases import Case
from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.domain.models import Completion
from llmops.domain.retrieval import Hit
from llmops.domain.runs import EvaluatorResult
from llmops.domain.scores import JudgeUse, Sample
from llmops.domain.serial import plain
from llmops.evaluation.evaluators.base import BuiltEvaluator, Services, measured
from llmops.evaluation.evaluators.catalogue import build_evaluators, kind
from llmops.settings.files import is_file_or_new, opened_output, shown
from llmops.settings.lines import Row, json_lines
from llmops.settings.positions import Positions
from llmops.settings.suite import CommonOptions, EvaluatorSpec, evaluator_specs

DEFAULT = ("hallucination", "toxicity")
LINES_AT_ONCE = 256
SHOWN_PROBLEMS = 5
SCORES = "scores"
PARTIAL = ".partial"
NEEDS_A_RUN = ("latency", "tokens", "cost", "retrieval")
"""Evaluators of what a log does not hold."""


@dataclass(slots=True)
class Tally:
    """What the lines of one evaluator came to."""

    scored: int = 0
    failed: int = 0
    unmeasured: int = 0
    not_passed: int = 0
    reason: str = ""
    """Why the first line has no score that has none."""
    judging: JudgeUse = JudgeUse()
    """What judges took."""

    def add(self, result: EvaluatorResult) -> None:
        """Count one line."""
        self.scored += result.status == "scored"
        self.failed += result.status == "failed"
        self.unmeasured += result.status == "unmeasured"
        self.not_passed += result.passed is False
        self.judging += result.judging or JudgeUse()
        self.reason = self.reason or ("" if result.status == "scored" else result.reason)


@dataclass(slots=True)
class Scored:
    """What a call did."""

    lines: int = 0
    """Lines scored in this call."""
    resumed: int = 0
    """Lines that an earlier call had scored."""
    skipped: int = 0
    """Lines that were left out."""
    invalid: list[Problem] = field(default_factory=list)
    """The first of them."""
    tallies: dict[str, Tally] = field(default_factory=dict)


def log_evaluators(asked: Sequence[str], threshold: float | None, services: Services) -> dict[str, BuiltEvaluator]:
    """The evaluators that `--evaluator NAME[:backend]` asks for, by the key of their scores.

    Raises:
        UsageError: no such evaluator or backend, or one that needs more than a log holds.
    """
    wanted = list(dict.fromkeys(asked or DEFAULT))
    names = [text.partition(":")[0] for text in wanted]
    specs: dict[str, EvaluatorSpec] = {}
    for text, name in zip(wanted, names, strict=True):
        backend = text.partition(":")[2]
        if kind(name).name in NEEDS_A_RUN:
            raise UsageError(f"{name!r} measures a run; a log has nothing for it.", hint=f"Such as: --evaluator {DEFAULT[0]}")
        key = text if names.count(name) > 1 else name
        lower = kind(name).lower_is_better
        limits = CommonOptions(min=None if lower else threshold, max=threshold if lower else None)
        specs[key] = EvaluatorSpec(name, key, {"backend": backend} if backend else {}, limits, ())
    try:
        built = build_evaluators(list(specs.values()), Positions("--evaluator", {}), services)
    except InvalidFiles as error:
        first = error.problems[0]
        if first.key in ("min", "max"):
            raise UsageError(f"--threshold {first.message}", hint=first.hint) from None
        place = f"`{first.key}`: " if first.key else ""
        raise UsageError(f"--evaluator: {place}{first.message}", hint=first.hint) from None
    return dict(zip(specs, built, strict=True))


async def score_answer(
    entry: str | dict[str, Any],
    output: str,
    services: Services,
    *,
    question: str = "",
    contexts: str | Sequence[str] = (),
    expected: object = None,
) -> EvaluatorResult:
    """One answer under one evaluator, written as an entry of a suite's `evaluators`.

    Raises:
        InvalidFiles: no such evaluator, a wrong option, or an argument that is no text.
        UsageError: the evaluator needs more than an answer.
    """
    value = {
        "input": question,
        "output": output,
        "contexts": contexts if isinstance(contexts, str) else list(contexts),
        "expected": expected,
    }
    if (problem := _problem(value, "answer", None)) is not None:
        raise InvalidFiles([problem])
    positions = Positions("evaluator", {})
    (spec,) = evaluator_specs([entry], positions, ())
    if spec.kind in NEEDS_A_RUN:
        raise UsageError(f"{spec.kind!r} measures a run, and there is only an answer.")
    (built,) = build_evaluators([spec], positions, services)
    return built.judge(await measured(built, _sample("answer", value)))


class LogScorer:
    """Scores the lines of one file; memory does not grow with their number."""

    def __init__(self, path: Path, root: Path, evaluators: Mapping[str, BuiltEvaluator], *, skip_invalid: bool) -> None:
        self._path = path
        self._root = root
        self._file = shown(path, root)
        self._evaluators = evaluators
        self._skip_invalid = skip_invalid
        self.done = Scored(tallies={key: Tally() for key in evaluators})
        self._rows = self._valid()
        """Those that are left: a pipe cannot be read twice."""

    async def lines(self) -> AsyncIterator[str]:
        """The lines that are left, scored, as JSON in the file's order.

        Raises:
            InvalidFiles: a malformed line, unless they are skipped.
        """
        stopped: InvalidFiles | None = None
        while stopped is None:
            batch: list[Row] = []
            try:
                batch.extend(islice(self._rows, LINES_AT_ONCE))
            except InvalidFiles as error:
                stopped = error  # what stands above the bad line is scored first
            if not batch:
                break
            scores = await asyncio.gather(*(self._scores(row) for row in batch))
            for row, found in zip(batch, scores, strict=True):
                new = {key: _plain(result) for key, result in found.items()}
                yield _line({**row.value, SCORES: {**_scores_before(row.value), **new}})
                for key, result in found.items():
                    self.done.tallies[key].add(result)
            self.done.lines += len(batch)
        if stopped is not None:
            raise stopped

    async def write(self, out: Path) -> None:
        """Write the scored lines into a file; what an earlier call that was killed wrote is kept and gone on from.

        A pipe or a device is written from the first line on. The file may be the input itself, which is replaced by the whole
        of its lines.

        Raises:
            InvalidFiles: a malformed line, unless they are skipped; what was scored before it stays.
            UsageError: the unfinished file is of another input, it cannot be written, or lines of the input would be lost.
        """
        hint = "Check its permissions, and run the same command again."
        try:
            if is_file_or_new(out):
                hint = f"What was scored stays beside it; free some space or {hint[0].lower()}{hint[1:]}"
                await self._write_file(out.resolve())
            else:
                await self._write_through(out)
        except OSError as error:
            raise UsageError(f"{str(out)!r} cannot be written: {error.strerror}.", hint=hint) from error

    async def _write_file(self, out: Path) -> None:
        partial = out.with_name(out.name + PARTIAL)
        in_place = out.exists() and self._path.exists() and out.samefile(self._path)
        if in_place and self._skip_invalid:
            found = f"{self._file!r} would lose the lines that --skip-invalid leaves out."
            raise UsageError(found, hint="Give another file to --out.")
        before = _state(self._path) if in_place else None
        out.parent.mkdir(parents=True, exist_ok=True)
        self.done.resumed = self._whole_lines(partial)
        with partial.open("a", encoding="utf-8", newline="\n") as stream:
            if not stream.tell():
                stream.write(self._head)
            count = 0
            async for line in self.lines():
                stream.write(line)
                count += 1
                if count % LINES_AT_ONCE == 0:
                    stream.flush()
            stream.flush()
            os.fsync(stream.fileno())
        if in_place and _state(self._path) != before:
            raise UsageError(f"{self._file!r} has changed meanwhile.", hint="Run the same command again: it goes on.")
        with partial.open("rb") as begun, opened_output(out) as whole:
            begun.readline()
            copyfileobj(begun, whole)
        partial.unlink()

    async def _write_through(self, out: Path) -> None:
        """Write into a pipe or a device, in which no earlier call can have left anything."""
        with opened_output(out) as stream:
            async for line in self.lines():
                stream.write(line.encode("utf-8"))

    @property
    def _head(self) -> str:
        """The first line of an unfinished file: what scores its lines and lets them pass."""
        return _line({name: [each.identity, *each.limits] for name, each in self._evaluators.items()})

    def _whole_lines(self, partial: Path) -> int:
        """Pass over the lines that an earlier call scored and count them; the last one may be cut and is dropped then.

        Raises:
            UsageError: they are not the first lines of this input, or were scored in another way; the file stays as it is.
        """
        if not partial.exists():
            return 0
        count = 0
        with partial.open("rb+") as stream:
            head = stream.readline()
            if not self._head.encode().startswith(head):
                raise _another(partial)
            end = len(head) if head.endswith(b"\n") else 0
            for raw in takewhile(lambda each: each.endswith(b"\n"), stream):
                row = next(self._rows, None)
                if row is None or not self._comes_from(row.value, _written(raw)):
                    raise _another(partial)
                count, end = count + 1, end + len(raw)
            stream.truncate(end)
        return count

    def _comes_from(self, value: Mapping[str, Any], written: Mapping[str, Any]) -> bool:
        """Whether a line that an earlier call wrote is this one, with scores of these evaluators."""
        before, after = _scores_before(value), _scores_before(written)
        carried = [name for name in before if name not in self._evaluators]
        return (
            {**value, SCORES: None} == {**written, SCORES: None}
            and list(after) == list({**before, **self._evaluators})
            and all(after[name] == before[name] for name in carried)
        )

    def _valid(self) -> Iterator[Row]:
        """The lines that can be scored; the others are noted, or end everything."""
        for row in json_lines(self._path, self._root):
            problem = row if isinstance(row, Problem) else _problem(row.value, self._file, row.line)
            if problem is None and isinstance(row, Row):
                yield row
            elif problem is not None and self._skip_invalid:
                self.done.skipped += 1
                if len(self.done.invalid) < SHOWN_PROBLEMS:
                    self.done.invalid.append(problem)
            elif problem is not None:
                raise InvalidFiles([replace(problem, hint=problem.hint or "To leave such lines out: --skip-invalid")])

    async def _scores(self, row: Row) -> dict[str, EvaluatorResult]:
        sample = _sample(str(row.line), row.value)
        outcomes = await asyncio.gather(*(measured(each, sample) for each in self._evaluators.values()))
        return {key: built.judge(o) for (key, built), o in zip(self._evaluators.items(), outcomes, strict=True)}


def _problem(value: Any, file: str, line: int | None) -> Problem | None:  # noqa: ANN401 -- any JSON value
    if not isinstance(value, dict):
        hint = "To give each of a list a line of its own: jq -c '.[]'" if isinstance(value, list) else None
        return Problem(file, 'is not an object; {"output": "...", "contexts": [...]} was expected.', line=line, hint=hint)
    if "output" not in value:
        found = ", ".join(f"`{name}`" for name in list(value)[:8]) or "nothing"
        return Problem(
            file, "is missing.", line=line, key="output", hint=f"The line holds {found}; the answer is called `output`."
        )
    for key, kinds in (("output", str), ("input", str), ("contexts", str | list)):
        if value.get(key) is not None and not isinstance(value[key], kinds):
            return Problem(file, "is not a text." if kinds is str else "is neither a text nor a list.", line=line, key=key)
    if value.get(SCORES) is not None and not isinstance(value[SCORES], dict):
        hint = "Rename the field: scores are added to it by the evaluator's name."
        return Problem(file, "is not an object.", line=line, key=SCORES, hint=hint)
    if value["output"] is None:
        return Problem(file, "is null; a text was expected.", line=line, key="output")
    contexts = value.get("contexts")
    if isinstance(contexts, list) and not all(map(_is_passage, contexts)):
        found = 'holds something that is neither a text nor {"text": "...", "source": "..."}.'
        return Problem(file, found, line=line, key="contexts")
    return None


def _is_passage(value: Any) -> bool:  # noqa: ANN401 -- any JSON value
    if isinstance(value, str):
        return True
    named = ("source", "heading")
    return (
        isinstance(value, dict)
        and isinstance(value.get("text"), str)
        and all(isinstance(value.get(name) or "", str) for name in named)
    )


def _hit(number: int, passage: str | Mapping[str, Any]) -> Hit:
    unnamed = f"contexts[{number}]"
    if isinstance(passage, str):
        return Hit(passage, unnamed, given=True)
    return Hit(passage["text"], passage.get("source") or unnamed, passage.get("heading") or "", given=True)


def _sample(name: str, value: Mapping[str, Any]) -> Sample:
    contexts = value.get("contexts") or []
    hits = tuple(starmap(_hit, enumerate([contexts] if isinstance(contexts, str) else contexts)))
    question = value.get("input") or ""
    case = Case(name, {"input": question}, value.get("expected"), tuple(hit.text for hit in hits))
    return Sample(case, "log", (), hits, Completion(value["output"], usage=None, latency_s=0.0), cached=True)


def _another(partial: Path) -> UsageError:
    found = f"{str(partial)!r} was begun with another input, other evaluators or another threshold."
    return UsageError(found, hint="Delete it to start anew, or give another --out.")


def _written(raw: bytes) -> dict[str, Any]:
    """A line of an unfinished file; nothing when it is none that was written there."""
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and isinstance(value.get(SCORES), dict) else {}


def _scores_before(value: Mapping[str, Any]) -> dict[str, Any]:
    """The scores that a line came with: those of other evaluators, or of people, are carried through."""
    return dict(value.get(SCORES) or {})


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _plain(result: EvaluatorResult) -> dict[str, Any]:
    fields = plain(result)
    return {key: fields[key] for key in ("value", "passed", "status", "spans", "reason")}


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True) + "\n"
