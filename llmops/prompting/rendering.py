"""Rendering a prompt: values in, messages out, within bounds."""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jinja2 import Template, UndefinedError, nodes
from jinja2 import TemplateError as JinjaError
from jinja2.runtime import Context

from llmops.domain.errors import TemplateError
from llmops.domain.prompts import IMAGE, Image, Message, Role
from llmops.prompting.budget import Budget, Limits, OverBudget, active
from llmops.prompting.roles import EXPANSION, MessageSource, without_own_lines
from llmops.prompting.sandbox import PromptEnvironment
from llmops.prompting.syntax import CONTEXTS, SyntaxProblem, parse_tree
from llmops.prompting.variables import BadValue, Value, Variable, plain
from llmops.settings.validation import nearest

if TYPE_CHECKING:
    from llmops.prompting.template import PromptVersion

IMPORTED = "A macro of an imported file sees its arguments alone. Give it the value, or import the file `with context`."
_UNDEFINED = re.compile(r"'([^']*)' is undefined\Z")


class Renderer:
    """Renders one prompt version; its templates are compiled once."""

    def __init__(self, version: "PromptVersion", limits: Limits | None = None) -> None:
        """Args: the version; `limits` of one rendering.

        Raises:
            TemplateError: the template cannot be compiled.
        """
        self._version = version
        self._limits = limits or Limits()
        shared = {name: without_own_lines(text) for name, text in version.shared.items()}
        self._environment = PromptEnvironment(shared)
        self._globals = dict(self._environment.globals)
        names = sorted((version.used_variables | set(version.variables)) - {CONTEXTS})
        self._variables = [(name, version.variables.get(name)) for name in names]
        self._contexts = CONTEXTS in version.used_variables
        self._parts = [(message, self._compiled(message)) for message in version.messages]

    def render(self, vars: Mapping[str, Any], contexts: Sequence[Any] = ()) -> tuple[Message, ...]:
        """The messages for these values.

        A message that renders to nothing is left out, so that a whole message can depend on a condition.

        Args:
            vars: values of the variables: text, numbers, booleans, lists, mappings and images. Names the prompt does not use
                are ignored; a variable that is not required and has no default is None.
            contexts: hits, objects with `text`, `source` and `heading`; a template sees them as mappings of these three.

        Raises:
            TemplateError: a required value is missing or of the wrong type, a name is undefined, a limit is reached, or
                nothing is left to send; with the file and line.
        """
        values, size = self._values(vars)
        pictures = _Pictures()
        values = {name: pictures.marked(value) for name, value in values.items()}
        if self._contexts:
            passages = [{"text": hit.text, "source": hit.source, "heading": hit.heading} for hit in contexts]
            values[CONTEXTS] = passages
            size += sum(len(hit["text"]) + len(hit["source"]) + len(hit["heading"]) for hit in passages)
        names = {**self._globals, **values}
        outer = active.__dict__.get("budget")
        active.budget = Budget(self._limits, size)
        try:
            messages = pictures.placed(self._messages(names), self._version.file)
        except (JinjaError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise self._explained(error, names) from error
        except (RecursionError, MemoryError) as error:
            raise self._explained(OverBudget("macros call each other too deeply."), names, error) from None
        finally:
            active.__dict__["budget"] = outer
        if not messages:
            raise TemplateError("renders to no message: every part is empty.", file=self._version.file)
        return messages

    def _messages(self, names: dict[str, Any]) -> tuple[Message, ...]:
        found: list[Message] = []
        for source, compiled in self._parts:
            if compiled is None:
                given = names.get(source.source) or ()
                active.budget.write(sum(len(item["content"]) for item in given))
                found += [Message(item["role"], item["content"]) for item in given]
                continue
            if isinstance(compiled, str):
                active.budget.write(len(compiled))
                content = compiled
            else:
                context = Context(self._environment, names, compiled.name, compiled.blocks)
                content = without_blank_ends("".join(compiled.root_render_func(context)))
            if content:
                role: Role = source.role  # type: ignore[assignment]  # the parser knows no other
                found.append(Message(role, content))
        return tuple(found)

    def _values(self, vars: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """Values by name, checked against their declarations, and their size in characters."""
        values: dict[str, Any] = {}
        total = 0
        for name, variable in self._variables:
            if name in vars:
                value = vars[name]
            elif variable is None:
                continue  # perhaps the template asks `is defined`; if not, rendering says where it stands
            elif variable.required:
                raise self._missing(variable, vars)
            else:
                value = variable.default
            try:
                value, size = plain(value)
            except BadValue as error:
                raise self._unfit(name, variable, str(error)) from None
            if variable is not None and (problem := variable.problem_with(value)):
                raise self._unfit(name, variable, problem)
            values[name] = value
            total += size
        return values, total

    def _missing(self, variable: Variable, vars: Mapping[str, Any]) -> TemplateError:
        others = [name for name in vars if name not in self._version.variables]
        hint = nearest(variable.name, others) if others else None
        message = f"the required variable `{variable.name}` has no value."
        return TemplateError(message, file=self._version.file, line=variable.line, hint=hint)

    def _unfit(self, name: str, variable: Variable | None, problem: str) -> TemplateError:
        line = variable.line if variable is not None else None
        return TemplateError(f"the variable `{name}` {problem}.", file=self._version.file, line=line)

    def _compiled(self, message: MessageSource) -> Template | str | None:
        """A template, or the finished text of a message without any expression, or None for an expansion."""
        if message.role == EXPANSION:
            return None
        version = self._version
        try:
            tree = parse_tree(self._environment, message.source, version.file, message.line)
            if not version.preamble and not _dynamic(tree):
                fixed = "".join(part.data for part in tree.find_all(nodes.TemplateData))
                return without_blank_ends(fixed)
            head = parse_tree(self._environment, version.preamble, version.file, version.preamble_line)
            tree.body = [*(node for node in head.body if not isinstance(node, nodes.Output)), *tree.body]
            return self._environment.compile_tree(tree, version.file)
        except SyntaxProblem as error:
            first = error.problems[0]
            raise TemplateError(first.message, file=first.file, line=first.line, hint=first.hint) from None
        except (JinjaError, SyntaxError, RecursionError) as error:
            # Python compiles at most 20 nested loops and 100 levels of indentation.
            raise TemplateError(f"cannot be compiled: {error}.", file=version.file, line=message.line) from error

    def _explained(self, error: Exception, names: Mapping[str, Any], cause: BaseException | None = None) -> TemplateError:
        file, line = _place(cause or error)
        message, hint = str(error).rstrip("."), None
        if isinstance(error, UndefinedError) and (match := _UNDEFINED.match(str(error))):
            message = f"`{match[1]}` is undefined"
            known = [name for name in names if name not in self._globals]
            hint = IMPORTED if match[1] in known else nearest(match[1], known)
        elif not isinstance(error, JinjaError):
            message = f"{type(error).__name__}: {message}"
        return TemplateError(f"{message}.", file=file or self._version.file, line=line, hint=hint)


class _Pictures:
    """The images of one rendering: a template sees marks in their place, which no other value can hold."""

    def __init__(self) -> None:
        self._images: list[Image] = []
        self._code = ""

    def marked(self, value: Value) -> Value:
        """A value with a mark for each of its images."""
        if type(value) is str:
            return value
        if isinstance(value, Image):
            self._code = self._code or f"{IMAGE}{secrets.randbits(64):020}"
            self._images.append(value)
            return f"{self._code}-{len(self._images) - 1}{IMAGE}"
        if isinstance(value, list):
            return [self.marked(item) for item in value]
        return {key: self.marked(item) for key, item in value.items()} if isinstance(value, dict) else value

    def placed(self, messages: tuple[Message, ...], file: str) -> tuple[Message, ...]:
        """The messages with images in place of their marks.

        Raises:
            TemplateError: a message holds an image and is no user's, or a filter has changed a mark.
        """
        return tuple(self._placed(message, file) for message in messages) if self._images else messages

    def _placed(self, message: Message, file: str) -> Message:
        first, *others = re.split(f"{self._code}-([0-9]+){IMAGE}", message.content)
        images = tuple(self._images[int(number)] for number in others[::2])
        texts = [first, *others[1::2]]
        if any(self._code[:4] in text for text in texts):
            raise TemplateError("cuts or changes an image; write it as it is: `{{ name }}`.", file=file)
        if images and message.role != "user":
            hint = "Models take images in messages of the user."
            raise TemplateError(f"puts the image {images[0].name} into a `{message.role}` message.", file=file, hint=hint)
        content = IMAGE.join(text.replace(IMAGE, "") for text in texts)
        return Message(message.role, content, images) if images else message


def _dynamic(tree: nodes.Template) -> bool:
    return any(
        not isinstance(node, nodes.Output) or any(not isinstance(child, nodes.TemplateData) for child in node.nodes)
        for node in tree.body
    )


def _place(error: BaseException) -> tuple[str | None, int | None]:
    """File and line of the innermost template frame that `error` passed."""
    file, line = None, None
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            file, line = template.filename, template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return file, line


def without_blank_ends(text: str) -> str:
    """`text` without blank lines at its start and end."""
    body = text.rstrip()
    if not body:
        return ""
    end = text.find("\n", len(body))
    first = len(body) - len(body.lstrip())
    return text[text.rfind("\n", 0, first) + 1 : end if end >= 0 else len(text)]
