"""A function in a Python file of the project: found without running it, and known by all of its code.

It runs with the user's rights: it is part of their project, as a test of pytest is.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from importlib import import_module, invalidate_caches
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from llmops.domain.errors import InvalidFiles, UsageError
from llmops.domain.keys import content_hash
from llmops.domain.records import record
from llmops.settings.files import read_text
from llmops.settings.stdout import as_user
from llmops.settings.validation import Shape, nearest

FUNCTION = r"[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*"
FunctionName = Annotated[str, Shape(f"^{FUNCTION}$", "`FILE.py:FUNCTION`, such as `evals/style.py:brevity`")]
"""The path is relative to the project's root."""

INSTALLED = ("site-packages", "dist-packages")
_STANDARD = Path(ast.__file__).parent
_loaded: dict[Path, str] = {}
"""Hash of the code that this process runs for a file: when it has changed, as under `--watch`, it is read anew."""


@record
class Function:
    """A function of the user's."""

    file: str
    """As the user wrote it."""
    name: str
    path: Path
    text: str
    """Of the file."""
    base: Path
    """The folder that Python would find the file's module from."""

    def code_hash(self) -> str:
        """Changes with the text of the file, and of what it imports that is not installed: the user's own modules."""
        own = self._own_modules()
        return content_hash("\x00".join([self.text, *(part for name in sorted(own) for part in (name, own[name]))]))

    @property
    def _module(self) -> str:
        """Its dotted name where a package holds the file; empty where none does."""
        if self.path.parent == self.base:
            return ""
        return ".".join(self.path.relative_to(self.base).with_suffix("").parts).removesuffix(".__init__")

    def _own_modules(self) -> dict[str, str]:
        package = self._module if self.path.name == "__init__.py" else self._module.rpartition(".")[0]
        return _own_modules(self.text, package)

    def load(self) -> Callable[..., Any]:
        """The function, once its file has run; what it imports is found beside the file and from the project's root.

        Raises:
            UsageError: the file cannot be run, or what it binds to the name cannot be called.
        """
        code = self.code_hash()
        if _loaded.get(self.path, code) != code:
            invalidate_caches()
            for name in (self._module, *self._own_modules()):
                sys.modules.pop(name, None)
        _loaded[self.path] = code
        try:
            with as_user():
                module = self._imported() if self._module else self._run(code)
        except (Exception, SystemExit) as error:
            told = f"{self.file!r} cannot be loaded: {type(error).__name__}: {error}."
            raise UsageError(told, hint=_mend(error)) from error
        found: object = getattr(module, self.name, None)
        if not callable(found):
            raise UsageError(f"{self.name!r} in {self.file!r} is not a function.")
        return found

    def _imported(self) -> ModuleType:
        module = import_module(self._module)
        if module.__file__ is None or Path(module.__file__).resolve() != self.path:
            raise ImportError(f"another module has its name, `{self._module}`")
        return module

    def _run(self, code: str) -> ModuleType:
        """The file as a module of its own, run once; no bytecode is written beside it."""
        name = f"llmops_user_{content_hash(str(self.path))}_{code}"
        if name in sys.modules:
            return sys.modules[name]
        module = ModuleType(name)
        module.__file__ = str(self.path)
        sys.modules[name] = module  # dataclasses look their module up there
        try:
            exec(compile(self.text, str(self.path), "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    def line_of(self, error: BaseException) -> str:
        """The innermost line of the file that an exception came through, as ` (FILE:LINE)`; empty when it did not."""
        trace, line = error.__traceback__, None
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(self.path):
                line = trace.tb_lineno
            trace = trace.tb_next
        return "" if line is None else f" ({self.file}:{line})"


def find_function(reference: str, root: Path) -> Function:
    """The function that `FILE.py:FUNCTION` names, without running its file.

    Args:
        reference: the file from the project's root, and the name.
        root: of the project.

    Raises:
        UsageError: there is no such file inside the project, it cannot be parsed, or it has no such function.
    """
    file, _, name = reference.rpartition(":")
    path = (root / file).resolve()
    if not path.is_relative_to(root.resolve()):
        raise UsageError(f"{file!r} leads out of the project.", hint="Give a path inside it, from its root.")
    try:
        text = read_text(path, root)
        tree = ast.parse(text, str(path))
    except InvalidFiles as error:
        raise UsageError(str(error)) from None
    except SyntaxError as error:
        raise UsageError(f"{file}:{error.lineno}: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{file!r} cannot be parsed: {error}.") from None
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if name not in names and not _bound(tree, name):
        raise UsageError(f"{file!r} has no function {name!r}.", hint=nearest(name, names))
    base = _base(path, root.resolve())
    sys.path[:0] = [folder for folder in dict.fromkeys((str(base), str(root.resolve()))) if folder not in sys.path]
    return Function(file, name, path, text, base)


def _bound(tree: ast.Module, name: str) -> bool:
    """Is the name imported or assigned at the top of the module?"""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
            return True
        if isinstance(node, ast.Assign) and name in {t.id for t in node.targets if isinstance(t, ast.Name)}:
            return True
    return False


def _base(path: Path, root: Path) -> Path:
    """The first folder above the file that is no package, as pytest looks for it; not above the project."""
    folder = path.parent
    while folder != root and (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _own_modules(text: str, package: str) -> dict[str, str]:
    """Texts of the user's modules that some code of a package imports, wherever the import stands, by name."""
    found: dict[str, str] = {}
    waiting = [(text, package)]
    while waiting:
        code, package = waiting.pop()
        for name in _imported(code, package):
            spec = None if name in found else _spec(name)
            if spec is None or not _own(spec):
                continue
            found[name] = Path(str(spec.origin)).read_text(encoding="utf-8", errors="replace")
            waiting.append((found[name], name if spec.submodule_search_locations else name.rpartition(".")[0]))
    return found


def _imported(code: str, package: str) -> Iterator[str]:
    """Names that may be modules: the code's packages, what is imported, the packages above it, and what is imported from it."""
    if package:
        yield from _with_packages(package)
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            names = [start, *(f"{start}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.partition(".")[0] not in (*sys.stdlib_module_names, "llmops"):
                yield from _with_packages(name)


def _with_packages(name: str) -> Iterator[str]:
    """The packages above a module, and the module."""
    parts = name.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _spec(name: str) -> ModuleSpec | None:
    """Where Python would find a module; nothing is imported."""
    above, _, _ = name.rpartition(".")
    try:
        if not above:
            return find_spec(name)
        package = _spec(above)
    except (ImportError, ValueError):
        return None
    if package is None or package.submodule_search_locations is None:
        return None
    return PathFinder.find_spec(name, package.submodule_search_locations)


def _own(spec: ModuleSpec) -> bool:
    """Whether a module is a Python file that was not installed."""
    if spec.origin is None or not spec.origin.endswith(".py"):
        return False
    path = Path(spec.origin)
    return not path.is_relative_to(_STANDARD) and not any(folder in path.parts for folder in INSTALLED)


def _mend(error: BaseException) -> str | None:
    if isinstance(error, ModuleNotFoundError):
        return "Install it beside llmops, into the same environment."
    if isinstance(error, ImportError) and "no known parent package" in error.msg:
        return "Put an `__init__.py` beside the file, which makes its folder a package."
    return None
