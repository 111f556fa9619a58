"""The Jinja environment of prompts: immutable, strict about undefined names, and bounded in everything that can grow."""

import operator
from collections.abc import Callable, Mapping
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import BaseLoader, StrictUndefined, Template, TemplateNotFound, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from llmops.prompting.budget import SCALARS, OverBudget, active, counted
from llmops.prompting.filters import FILTERS, METHODS, TESTS, call_method, join, percent_format, settle
from llmops.prompting.variables import Value

# Names that no template can write, because they hold a space.
_WRITE, _COUNT, _WEIGH, _CONCAT = "llmops write", "llmops count", "llmops weigh", "llmops concat"

_SCOPE = ("_loop_vars", "_block_vars")
"""Keywords that compiled templates add to calls inside loops; Jinja's own `Context.call` takes them away."""

MAX_INT = 2**256
"""Largest whole number that arithmetic may start from."""


@pass_context
def _write(context: Context, value: Value, fixed: int) -> str:
    """What `{{ value }}` writes; `fixed` is the number of characters of literal text around it."""
    if type(value) is not str:
        if type(value) not in SCALARS:
            active.budget.weigh(value, complete=True)
        value = str(value)
    budget = active.budget
    budget.room -= len(value) + fixed
    if budget.room < 0:
        budget.write(0)
    return value  # type: ignore[no-any-return]


@pass_context
def _weigh(context: Context, value: Value) -> Value:
    if type(value) not in SCALARS:
        active.budget.weigh(value)
    return value


@pass_context
def _count(context: Context, value: Value) -> Value:
    if type(value) is list and len(value) <= 16:
        active.budget.step(len(value))
        return value
    return counted(value)


@pass_context
def _concat(context: Context, values: list[Any]) -> Value:
    active.budget.weigh(values, complete=True)
    return settle(join("", values))


class _Instrument(NodeTransformer):
    """Puts the counters into a template's syntax tree."""

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802 -- Jinja's naming
        self.generic_visit(node)
        fixed = sum(len(child.data) for child in node.nodes if isinstance(child, nodes.TemplateData))
        body: list[nodes.Expr] = []
        for child in node.nodes:
            if not isinstance(child, nodes.TemplateData):
                body.append(_filter(child, _WRITE, nodes.Const(fixed)))
                fixed = 0
            else:
                body.append(child)
        if fixed:
            body.append(_filter(nodes.Const("", lineno=node.lineno), _WRITE, nodes.Const(fixed)))
        node.nodes = body
        return node

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802
        self.generic_visit(node)
        node.iter = _filter(node.iter, _COUNT)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Compare:  # noqa: N802
        self.generic_visit(node)
        node.expr = _weighed(node.expr)
        for operand in node.ops:
            operand.expr = _weighed(operand.expr)
        return node

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:  # noqa: N802
        self.generic_visit(node)
        node.key = _weighed(node.key)  # a key is hashed, shared parts each time
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Getitem:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            node.arg = _weighed(node.arg)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), _CONCAT)


def _filter(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _filter(node, _WEIGH)


class SharedLoader(BaseLoader):
    """Templates of `prompts/_shared/`, from memory."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        """Args: `sources`, prepared texts by name."""
        self._sources = sources

    def get_source(self, environment: Value, template: str) -> tuple[str, str, Callable[[], bool]]:
        """As Jinja asks for it."""
        if template not in self._sources:
            raise TemplateNotFound(template)
        return self._sources[template], f"prompts/_shared/{template}", lambda: True


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Compiles templates whose every growth is counted against `budget.active`."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, shared: Mapping[str, str]) -> None:
        """Args: `shared`, prepared sources of the files that includes and imports may name."""
        super().__init__(
            loader=SharedLoader(shared),
            undefined=StrictUndefined,
            autoescape=False,
            auto_reload=False,
            optimized=False,  # constant folding would evaluate expressions before any budget exists
            keep_trailing_newline=True,
        )
        self.filters = dict(FILTERS)
        self.filters |= {_WRITE: _write, _COUNT: _count, _WEIGH: _weigh, _CONCAT: _concat}
        self.tests = dict(TESTS)
        self.globals = {"range": safe_range, "dict": dict, "namespace": Namespace}

    def compile_tree(self, tree: nodes.Template, file: str) -> Template:
        """An executable template; `tree` is changed."""
        code = self.compile(_Instrument().visit(tree), name=file, filename=file)
        return self.template_class.from_code(self, code, self.make_globals(None), None)

    def compile(self, source: Value, *args: Value, **kwargs: Value) -> Value:
        """As Jinja's, with the counters put into what the loader brings."""
        if isinstance(source, str):
            source = _Instrument().visit(self.parse(source))
        return super().compile(source, *args, **kwargs)

    def get_template(self, *args: Value, **kwargs: Value) -> Template:
        """As Jinja's; includes count as steps."""
        active.budget.step()
        return super().get_template(*args, **kwargs)

    def getattr(self, obj: Value, attribute: str) -> Value:
        """`obj.attribute`: of a mapping its key first, so that data never hides behind a method's name."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def wrap_str_format(self, value: Value) -> None:
        """Format methods are bounded in `call`."""
        return

    def is_safe_attribute(self, obj: Value, attr: str, value: Value) -> bool:
        """Whether a template may see `obj.attr`."""
        if isinstance(value, BuiltinMethodType):
            return attr in METHODS.get(type(obj), ())
        return super().is_safe_attribute(obj, attr, value)

    def call(__self, __context: Context, __obj: Value, *args: Value, **kwargs: Value) -> Value:  # noqa: N805, B902
        """Call a macro, a global or an allowed method."""
        active.budget.step()
        if isinstance(__obj, Macro):
            return settle(__context.call(__obj, *args, **kwargs))
        if isinstance(__obj, BuiltinMethodType) and __obj.__name__ in METHODS.get(type(__obj.__self__), ()):
            given = {key: value for key, value in kwargs.items() if key not in _SCOPE}
            return call_method(__self, __obj, args, given)
        loop_method = isinstance(__obj, MethodType) and isinstance(__obj.__self__, LoopContext)
        if loop_method or any(__obj is allowed for allowed in __self.globals.values()):
            for value in args:  # which are compared or become keys
                _weigh(__context, value)
            return settle(__context.call(__obj, *args, **kwargs))
        if isinstance(__obj, StrictUndefined):
            return __obj()
        raise SecurityError(f"{type(__obj).__name__} cannot be called from a template.")

    def call_binop(self, context: Context, operator: str, left: Value, right: Value) -> Value:
        """Operators that can grow a value."""
        result = _BOUNDED[operator](left, right)
        return settle(result)


def _add(left: Value, right: Value) -> Value:
    if isinstance(left, str | list | tuple) and isinstance(right, str | list | tuple):
        active.budget.require(len(left) + len(right))
    return left + right


def _multiply(left: Value, right: Value) -> Value:
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, str | list | tuple) and isinstance(times, int):
            active.budget.require(len(sequence) * times)
    return _small(left) * _small(right)


def _power(left: Value, right: Value) -> Value:
    if isinstance(left, int) and isinstance(right, int) and abs(right) > 256:
        raise OverBudget("an exponent larger than 256 was asked for.")
    return _small(left) ** right


def _modulo(left: Value, right: Value) -> Value:
    return percent_format(left, right) if isinstance(left, str) else operator.mod(left, right)


def _small(value: Value) -> Value:
    if isinstance(value, int) and abs(value) > MAX_INT:
        raise OverBudget("whole numbers in a template may have at most 256 bits.")
    return value


_BOUNDED: Mapping[str, Callable[[Any, Any], Any]] = {"+": _add, "*": _multiply, "**": _power, "%": _modulo}
