"""From the text of a `prompt.j2` to a prompt version: front matter, messages, variables and the content hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from jinja2 import nodes

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.keys import canonical, content_hash
from llmops.domain.prompts import Message
from llmops.prompting.frontmatter import FrontMatter, parse_front_matter, split_front_matter
from llmops.prompting.rendering import Renderer
from llmops.prompting.roles import EXPANSION, MessageSource, excess, split_messages
from llmops.prompting.sandbox import PromptEnvironment
from llmops.prompting.syntax import SharedUse, SyntaxProblem, check_tree, parse_tree, undeclared
from llmops.prompting.variables import Variable
from llmops.settings.validation import nearest

HASH_FORMAT = "llmops prompt 1"
"""Raised when equal text would get another meaning."""


@dataclass(frozen=True)
class PromptVersion:
    """One immutable text of a prompt."""

    name: str
    file: str
    """Where the text comes from, for messages."""
    text: str
    """The whole file, with `\\n` line ends, no byte-order mark and no final line end."""
    hash: str
    """Content hash of the text and of the shared files it uses; equal hashes render equally."""
    description: str
    variables: Mapping[str, Variable]
    parameters: Mapping[str, Any]
    """Model parameters, passed through to the provider."""
    tags: tuple[str, ...]
    preamble: str
    """Imports, macros and assignments before the first role line, visible in every message."""
    preamble_line: int
    messages: tuple[MessageSource, ...]
    used_variables: frozenset[str]
    """Names that the messages read, `contexts` among them when they read it."""
    shared: Mapping[str, str] = field(default_factory=dict)
    """The files of `prompts/_shared/` that it uses, by relative path."""
    version: str | None = None
    """Semantic version; None for a working copy or a git revision."""

    @cached_property
    def renderer(self) -> Renderer:
        """Compiled once, on first use."""
        return Renderer(self)

    def render(self, vars: Mapping[str, Any], contexts: Sequence[Any] = ()) -> tuple[Message, ...]:
        """The messages for these values; see `Renderer.render`."""
        return self.renderer.render(vars, contexts)


def normalised(text: str) -> str:
    """`text` without what does not count: a byte-order mark, the kind of line end, one final line end."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def hash_of(text: str, shared: Mapping[str, str]) -> str:
    """Content hash of a prompt from its text and the shared files it uses."""
    parts = {name: normalised(content) for name, content in shared.items()}
    return content_hash(canonical({"format": HASH_FORMAT, "shared": parts, "text": normalised(text)}))


def name_of(file: str) -> str:
    """The prompt's name from the path of one of its files."""
    path = PurePosixPath(file.replace("\\", "/"))
    if path.parent.name == "versions" and path.parent.parent.name:
        return path.parent.parent.name
    return path.parent.name if path.stem == "prompt" and path.parent.name else path.stem


def parse_prompt(
    text: str, *, file: str, shared: Mapping[str, str], name: str | None = None, version: str | None = None
) -> PromptVersion:
    """Parse and check the text of a prompt file.

    Args:
        text: the whole file.
        file: its path as the user would type it; gives the prompt's name unless `name` does.
        shared: texts of the files of `prompts/_shared/` by relative path; only those that are used are looked up.
        name: the prompt's name.
        version: semantic version.

    Raises:
        InvalidFiles: with every problem found, each with its line.
    """
    text = normalised(text)
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise InvalidFiles([Problem(file, "holds a NUL character; text was expected.", line=line)])
    yaml_text, body, first_line = split_front_matter(text, file)
    if too_much := excess(body):
        raise InvalidFiles([Problem(file, too_much)])
    problems: list[Problem] = []
    front = _front_matter(yaml_text, file, problems)
    preamble, messages = _messages(body, first_line, file, problems)
    environment = PromptEnvironment({})
    use = SharedUse(environment, shared)
    try:
        names = _Checker(file, environment, use, problems).check(preamble, first_line, messages)
    except RecursionError:
        raise InvalidFiles([Problem(file, "an expression or its blocks are nested too deeply.", line=first_line)]) from None
    _check_expansions(messages, front, file, problems)
    if problems:
        raise InvalidFiles(sorted(problems, key=lambda problem: problem.line or 0))
    used_shared = {key: normalised(content) for key, content in sorted(use.used.items())}
    return PromptVersion(
        name=name or name_of(file),
        file=file,
        text=text,
        hash=hash_of(text, used_shared),
        description=front.description,
        variables=front.variables,
        parameters=front.parameters,
        tags=front.tags,
        preamble=preamble,
        preamble_line=first_line,
        messages=tuple(messages),
        used_variables=frozenset(names | use.names),
        shared=used_shared,
        version=version,
    )


def _front_matter(yaml_text: str | None, file: str, problems: list[Problem]) -> FrontMatter:
    try:
        return parse_front_matter(yaml_text, file)
    except InvalidFiles as error:
        problems += error.problems
        return FrontMatter()


def _messages(body: str, first_line: int, file: str, problems: list[Problem]) -> tuple[str, list[MessageSource]]:
    """What stands before the first role line, and the messages; text without role lines is one user message."""
    preamble, messages, found = split_messages(body, first_line, file)
    problems += found
    if not messages and preamble.strip():
        lead = len(preamble) - len(preamble.lstrip("\n"))
        return "", [MessageSource("user", preamble.lstrip("\n"), first_line + lead)]
    if not messages:
        problems.append(Problem(file, "holds no message.", hint="Write text, or a role line such as `user:` and text."))
    return preamble, messages


def _check_expansions(messages: list[MessageSource], front: FrontMatter, file: str, problems: list[Problem]) -> None:
    for message in messages:
        if message.role != EXPANSION:
            continue
        variable = front.variables.get(message.source)
        if variable is None:
            known = [name for name, declared in front.variables.items() if declared.type == EXPANSION]
            found = f"`messages({message.source})` needs a variable `{message.source}` of type `messages`."
            hint = nearest(message.source, known) or f"Declare it: variables: {{{message.source}: {{type: messages}}}}"
            problems.append(Problem(file, found, line=message.line, hint=hint))
        elif variable.type != EXPANSION:
            found = f"`{message.source}` is of type {variable.type}; `messages(...)` needs type messages."
            problems.append(Problem(file, found, line=message.line))


class _Checker:
    """Parses the parts of one prompt and gathers their problems."""

    def __init__(self, file: str, environment: PromptEnvironment, use: SharedUse, problems: list[Problem]) -> None:
        self._file, self._environment, self._use, self._problems = file, environment, use, problems

    def check(self, preamble: str, first_line: int, messages: list[MessageSource]) -> set[str]:
        """Names that preamble and messages read."""
        names: set[str] = {message.source for message in messages if message.role == EXPANSION}
        head = self._tree(preamble, first_line)
        if head is not None:
            self._refuse_text(head)
        for message in messages:
            tree = self._tree(message.source, message.line) if message.role != EXPANSION else None
            if tree is not None and head is not None:
                tree.body = [*head.body, *tree.body]
            if tree is not None and not self._problems and not self._use.problems:
                names |= undeclared(tree)
        self._problems += self._use.problems
        return names

    def _tree(self, source: str, line: int) -> nodes.Template | None:
        try:
            tree = parse_tree(self._environment, source, self._file, line)
        except SyntaxProblem as error:
            self._problems += error.problems
            return None
        self._problems += check_tree(tree, self._file, self._environment)
        self._use.follow(tree, self._file)
        return tree

    def _refuse_text(self, head: nodes.Template) -> None:
        for output in head.body:
            if not isinstance(output, nodes.Output):
                continue
            for child in output.nodes:
                text = child.data if isinstance(child, nodes.TemplateData) else "{{"
                if text.strip():
                    line = child.lineno + text[: len(text) - len(text.lstrip())].count("\n")
                    hint = "Put a role line such as `system:` above it."
                    self._problems.append(Problem(self._file, "text stands before the first role line.", line=line, hint=hint))
                    return
