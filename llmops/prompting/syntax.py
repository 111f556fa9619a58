"""A template's syntax tree: parsed with the file's line numbers, and checked before anything is rendered."""

import re
from collections.abc import Iterator, Mapping

from jinja2 import TemplateSyntaxError, meta, nodes

from llmops.domain.errors import Problem
from llmops.prompting.roles import EXPANSION, excess, without_own_lines
from llmops.prompting.sandbox import PromptEnvironment
from llmops.settings.validation import nearest

SHARED = "prompts/_shared"
CONTEXTS = "contexts"
EXPRESSION = "Jinja reads `{{ name }}`, `{{ a if b else c }}` and `{% if a %}...{% endif %}`; braces as text: `{{ '{{' }}`."
_OFFSET = re.compile(r" at \d+\Z")
"""Where Jinja found a character: an offset in a message, which no reader can use beside the line."""
PASSAGE = ("text", "source", "heading")
"""What a template sees of each of the `contexts`."""


class SyntaxProblem(Exception):
    """Carries the problems of a template that cannot be compiled."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__()
        self.problems = problems


def parse_tree(environment: PromptEnvironment, source: str, file: str, first_line: int = 1) -> nodes.Template:
    """The tree of `source`, whose nodes carry the lines of `file`.

    Raises:
        SyntaxProblem: Jinja cannot parse it.
    """
    try:
        tree = environment.parse(without_own_lines(source), filename=file)
    except TemplateSyntaxError as error:
        line = error.lineno + first_line - 1
        told = _OFFSET.sub("", error.message or "syntax error").rstrip(".")
        hint = EXPRESSION if told.startswith(("unexpected", "expected token")) else None
        raise SyntaxProblem([Problem(file, f"{told}.", line=line, hint=hint)]) from None
    except RecursionError:
        raise SyntaxProblem([Problem(file, "expressions are nested too deeply.", line=first_line)]) from None
    if first_line > 1:
        for node in tree.find_all(nodes.Node):
            node.lineno = (node.lineno or 1) + first_line - 1
    return tree


def check_tree(tree: nodes.Template, file: str, environment: PromptEnvironment) -> list[Problem]:
    """What this template must not do, or names that does not exist."""
    return [Problem(file, message, line=node.lineno, hint=hint) for node, message, hint in _faults(tree, environment)]


def _faults(tree: nodes.Template, environment: PromptEnvironment) -> Iterator[tuple[nodes.Node, str, str | None]]:
    for used in tree.find_all((nodes.Filter, nodes.Test)):
        kind, known = ("filter", environment.filters) if isinstance(used, nodes.Filter) else ("test", environment.tests)
        if used.name not in known:
            names = [name for name in known if " " not in name]
            yield used, f"there is no {kind} named {used.name!r} for prompts.", nearest(used.name, names)
    for tag in tree.find_all((nodes.Extends, nodes.Block)):
        name = type(tag).__name__.lower()
        yield tag, f"`{{% {name} %}}` has no meaning in a prompt.", "Use `{% include %}` or a macro of `prompts/_shared/`."
    for loop in tree.find_all(nodes.For):
        if loop.recursive:
            yield loop, "recursive loops are not allowed.", "Use a loop per level."
        if isinstance(loop.iter, nodes.Name) and loop.iter.name == CONTEXTS and isinstance(loop.target, nodes.Name):
            yield from _no_part_of_a_passage(loop, loop.target.name)
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == EXPANSION:
            hint = "Write it on a line of its own, outside of every block: `{{ messages(history) }}`."
            yield call, "`messages(...)` stands inside text or a block.", hint
    for reference in _references(tree):
        if not (isinstance(reference.template, nodes.Const) and isinstance(reference.template.value, str)):
            yield reference, "the name of an included file must be written out.", 'As in `{% include "rules.j2" %}`.'
        if isinstance(reference, nodes.Include) and (reference.ignore_missing or not reference.with_context):
            yield reference, "`ignore missing` and `without context` are not supported.", "Leave it out."


def _no_part_of_a_passage(loop: nodes.For, hit: str) -> Iterator[tuple[nodes.Node, str, str | None]]:
    """What the body of a loop over the passages asks of one that has no such part, unless a default or a test stands by."""
    checks = loop.find_all((nodes.Filter, nodes.Test))
    guarded = {_part_of(hit, each.node) for each in checks if each.name in ("default", "d", "defined", "undefined")}
    for asked in loop.find_all((nodes.Getattr, nodes.Getitem)):
        name = _part_of(hit, asked)
        if name is not None and name not in guarded and name not in PASSAGE and not hasattr(dict, name):
            yield asked, f"a passage has no {name!r}.", nearest(name, PASSAGE)


def _part_of(hit: str, node: nodes.Node | None) -> str | None:
    """The name of what `hit.name` or `hit["name"]` reads."""
    if not isinstance(node, nodes.Getattr | nodes.Getitem) or not isinstance(node.node, nodes.Name) or node.node.name != hit:
        return None
    name = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
    return name if isinstance(name, str) else None


def _references(tree: nodes.Template) -> Iterator[nodes.Include | nodes.Import | nodes.FromImport]:
    yield from tree.find_all(nodes.Include)
    yield from tree.find_all(nodes.Import)
    yield from tree.find_all(nodes.FromImport)


def undeclared(tree: nodes.Template) -> set[str]:
    """Names that the template reads and does not set itself, globals aside."""
    environment = tree.environment
    return set(meta.find_undeclared_variables(tree)) - set(environment.globals if environment else ())


class SharedUse:
    """Follows includes and imports: which shared files a prompt uses, and the names those read."""

    def __init__(self, environment: PromptEnvironment, shared: Mapping[str, str]) -> None:
        """Args: the environment to parse in; `shared`, texts of `prompts/_shared/` by relative path."""
        self._environment = environment
        self._shared = shared
        self.used: dict[str, str] = {}
        self.names: set[str] = set()
        self.problems: list[Problem] = []

    def follow(self, tree: nodes.Template, file: str, above: tuple[str, ...] = ()) -> None:
        """Add everything that `tree` includes or imports, and what that does in turn."""
        for reference in _references(tree):
            name = reference.template.value if isinstance(reference.template, nodes.Const) else None
            if not isinstance(name, str):
                continue
            if name in above:
                chain = " → ".join((*above[above.index(name) :], name))
                self.problems.append(Problem(file, f"includes itself: {chain}.", line=reference.lineno))
            elif name not in self._shared:
                message, hint = f"there is no {name!r} in `{SHARED}/`.", nearest(name, self._shared)
                self.problems.append(Problem(file, message, line=reference.lineno, hint=hint))
            else:
                self._add(name, (*above, name), with_context=reference.with_context)

    def _add(self, name: str, above: tuple[str, ...], *, with_context: bool) -> None:
        file = f"{SHARED}/{name}"
        text = self._shared[name]
        if too_much := excess(text):
            self.problems.append(Problem(file, too_much))
            return
        try:
            tree = parse_tree(self._environment, text, file)
        except SyntaxProblem as error:
            self.problems += error.problems
            return
        if name not in self.used:
            self.used[name] = text
            self.problems += check_tree(tree, file, self._environment)
            self.follow(tree, file, above)
        if with_context and not self.problems:
            self.names |= undeclared(tree)
