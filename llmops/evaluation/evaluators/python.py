"""The user's own function as an evaluator."""

import ast
import asyncio
import inspect
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import field_validator

from llmops.domain.errors import InvalidFiles
from llmops.domain.keys import content_hash
from llmops.domain.records import record
from llmops.domain.scores import Failure, Outcome, Sample, Score, Unmeasured
from llmops.domain.serial import plain
from llmops.evaluation.evaluators.base import ANY, SHARE, Bounds, Figures, Kind, Services, WrongOption, identity, within
from llmops.evaluation.evaluators.quoting import cut
from llmops.settings.files import read_text
from llmops.settings.secrets import masked
from llmops.settings.validation import Number, Shape, Strict, nearest

PASSED = "passed"
RETURNS = "a bool, a number, None, or a mapping with `value` or `passed`, and `reason`, was expected"


class PythonOptions(Strict):
    """Options of `python`."""

    function: Annotated[
        str, Shape(r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$", "`FILE.py:FUNCTION`, such as `evals/style.py:brevity`")
    ]
    """`path/to/file.py:function`, relative to the project's root."""
    range: tuple[Number, Number] | None = None
    """Smallest and largest value that it returns."""
    lower_is_better: bool = False

    @field_validator("range", mode="before")
    @classmethod
    def _pair(cls, given: object) -> object:
        if given is not None and not (isinstance(given, list | tuple) and len(given) == 2):
            raise ValueError("two numbers were expected, the smallest and the largest value, such as [0, 10]")
        return tuple(given) if isinstance(given, list) else given

    @field_validator("range")
    @classmethod
    def _ascending(cls, given: tuple[float, float] | None) -> tuple[float, float] | None:
        if given is not None and given[0] >= given[1]:
            raise ValueError("the smallest value comes first, and the largest is above it, such as [0, 10]")
        return given


@record
class Python:
    """Value: what the function returns for one answer."""

    options: PythonOptions
    file: Path
    file_hash: str
    function: Callable[[dict[str, Any]], Any]

    @property
    def identity(self) -> str:
        """The function's name and the content of its file."""
        return identity("python", 1, self.options, self.file_hash)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Call the function with plain data; a plain function runs in a thread."""
        returned: Any = None
        error: BaseException | None = None
        if inspect.iscoroutinefunction(self.function):
            try:
                returned = await self.function(_argument(sample))
            except (Exception, SystemExit) as raised:
                error = raised
        else:
            returned, error = await asyncio.to_thread(_call, self.function, _argument(sample))
        if error is not None:
            return Failure(f"{type(error).__name__}: {error}{self._line(error)}")
        return _outcome(returned, self.options.range)

    def _line(self, error: BaseException) -> str:
        """The innermost line of the user's file that the exception came through."""
        trace, line = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(self.file):
                line = trace.tb_lineno
            trace = trace.tb_next
        path = self.options.function.partition(":")[0]
        return "" if line is None else f" ({path}:{line})"


def _call(function: Callable[[dict[str, Any]], Any], argument: dict[str, Any]) -> tuple[Any, BaseException | None]:
    """What the function returns or raises; a StopIteration that leaves its thread would never reach the caller."""
    try:
        return function(argument), None
    except (Exception, SystemExit) as error:
        return None, error


def _argument(sample: Sample) -> dict[str, Any]:
    """What the function sees: copies, so that it cannot change the run. No id and no timing: its result is stored."""
    case = sample.case
    return {
        "output": sample.completion.text,
        "vars": plain(case.vars),
        "expected": plain(case.expected),
        "contexts": [{"text": hit.text, "source": hit.source} for hit in sample.hits],
        "metadata": plain(case.metadata),
        "tags": list(case.tags),
    }


def _outcome(returned: Any, bounds: Bounds | None) -> Outcome:  # noqa: ANN401 -- whatever a function returns
    if returned is None:
        return Unmeasured("the function returned None: it does not apply to this case")
    found = returned if isinstance(returned, Mapping) else {"value": returned}
    unknown = set(found) - {"value", "reason", PASSED}
    value, passed = found.get("value"), found.get(PASSED)
    if isinstance(value, bool) and passed is None:
        passed = value
    if value is None and isinstance(passed, bool):
        value = passed
    if unknown or not isinstance(value, int | float) or not (passed is None or isinstance(passed, bool)):
        return Failure(f"the function returned {cut(masked(repr(returned)), 80)}; {RETURNS}")
    if not math.isfinite(value):
        return Failure(f"the function returned {value}, which is not a finite number")
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        return Failure(f"the function returned {value:g}; `range` says that it lies {within(bounds)}")
    reason = found.get("reason")
    return Score(float(value), "" if reason is None else str(reason), parts={} if passed is None else {PASSED: float(passed)})


def _check(options: PythonOptions, root: Path) -> tuple[Path, str]:
    """The file and its text, without running it."""
    name, _, function = options.function.rpartition(":")
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise WrongOption("function", f"{name!r} leads out of the project.", hint="Give a path inside it, from its root.")
    try:
        text = read_text(path, root)
        tree = ast.parse(text, str(path))
    except InvalidFiles as error:
        raise WrongOption("function", str(error)) from None
    except SyntaxError as error:
        raise WrongOption("function", f"{name}:{error.lineno}: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise WrongOption("function", f"{name!r} cannot be parsed: {error}.") from None
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if function not in names and not _bound(tree, function):
        raise WrongOption("function", f"{name!r} has no function {function!r}.", hint=nearest(function, names))
    return path, text


def _bound(tree: ast.Module, name: str) -> bool:
    """Is the name imported or assigned at the top of the module?"""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            return True
        if isinstance(node, ast.Assign) and name in {t.id for t in node.targets if isinstance(t, ast.Name)}:
            return True
    return False


def _build(options: PythonOptions, services: Services) -> Python:
    path, text = _check(options, services.root)
    name, _, function = options.function.rpartition(":")
    file_hash = content_hash(text)
    module = _module(path, text, f"llmops_user_{content_hash(str(path))}_{file_hash}", name)
    found = getattr(module, function, None)
    if not callable(found):
        raise WrongOption("function", f"{function!r} in {name!r} is not a function.")
    return Python(options, path, file_hash, found)


def _module(path: Path, text: str, name: str, shown: str) -> ModuleType:
    """The user's file as a module, run once; no bytecode is written beside it."""
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise WrongOption("function", f"{shown!r} cannot be loaded: {type(error).__name__}: {error}.") from error
    return module


def _figures(options: PythonOptions) -> Figures:
    return Figures(options.range or ANY, {PASSED: SHARE}, options.lower_is_better)


KIND = Kind(
    "python",
    "The user's own function.",
    PythonOptions,
    _build,
    _check,
    verdict=PASSED,
    cached=True,
    figures=_figures,
)
