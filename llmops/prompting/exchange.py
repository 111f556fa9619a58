"""Prompts from and for other tools: Prompty files, plain text, OpenAI message JSON, promptfoo prompt files."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from llmops.domain.errors import InvalidFiles, Problem, UsageError
from llmops.domain.prompts import Message, PromptFormat
from llmops.domain.records import record
from llmops.prompting.frontmatter import settable, split_front_matter
from llmops.prompting.nunjucks import as_jinja
from llmops.prompting.roles import EXPANSION, OPENING, ROLES, escaped_roles
from llmops.prompting.syntax import EXPRESSION
from llmops.prompting.template import PromptVersion, normalised, parse_prompt
from llmops.prompting.variables import FITS, kind_of
from llmops.settings.positions import parse_yaml

_PROMPTY_ROLE = re.compile(r"^[ \t]*#?[ \t]*(system|user|assistant|developer|tool|function)[ \t]*:[ \t]*$", re.I | re.M)
_DUMPED = re.compile(r'"(?:\\.|[^"\\])*"|\{\{-?((?:(?!\}\}).)*?)\|\s*dump\s*-?\}\}')
"""A JSON text, or a value that a template writes as one: `{"content": {{ question | dump }}}`."""
_JSON = re.compile(r"\s*(?:\[\s*[{\"\]]|\{[\n\"])")
"""How a list or a mapping begins; `[INST]` opens a text."""
_IMAGE = re.compile(r"(?:data:[^,{}]*,)?(\{\{\s*\w+\s*\}\})")
"""The address of an image that a variable holds."""
_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)
_ALIASES = {"developer": "system"}
_PROGRAMS = (".js", ".cjs", ".mjs", ".ts", ".py")
_JINJA = (".j2", ".jinja", ".jinja2")
_NOT_PARAMETERS = ("messages", "model", "stream", "stream_options", "user")
"""Keys of an OpenAI request that say nothing about the prompt."""


@record
class Imported:
    """A prompt of another tool as ours."""

    text: str
    """Of a `prompt.j2`."""
    left_out: tuple[str, ...] = ()
    """Parameters that a prompt cannot set here."""


def guess_format(file: str, text: str) -> PromptFormat:
    """The format of a file, by its name and its first characters."""
    suffix = PurePosixPath(file.replace("\\", "/")).suffix.lower()
    if suffix == ".prompty":
        return "prompty"
    if suffix in (".yaml", ".yml", *_PROGRAMS):
        return "promptfoo"
    if suffix == ".json":
        return "promptfoo" if OPENING.search(text) else "openai"
    return "text"


def import_prompts(text: str, file: str, kind: PromptFormat | None = None) -> list[Imported]:
    """Each prompt that a file of another tool holds.

    Args:
        text: of the file.
        file: its name, for messages and for guessing the format.
        kind: None: guessed.

    Raises:
        InvalidFiles: not of this format, or it holds what a prompt here cannot say (tool messages, images, functions).
    """
    text = normalised(text)
    chosen = kind or guess_format(file, text)
    if not text.strip():
        raise _refuse(file, "is empty; a prompt was expected.")
    if kind is None and file.lower().endswith(_JINJA):
        found = [Imported(text)]  # a prompt file already
    elif chosen == "prompty":
        found = [_from_prompty(text, file)]
    elif chosen == "text":
        found = [Imported(_from_text(text))]
    elif chosen == "openai":
        found = [_from_openai(text, file)]
    else:
        found = _from_promptfoo(text, file)
    for each in found:
        _check(each.text, file)
    return found


def _check(text: str, file: str) -> None:
    """Refuse what is no prompt; lines are those of `text`, which are not lines of the file."""
    try:
        parse_prompt(text, file=file, shared=_AnyFile(), name="imported")
    except InvalidFiles as error:
        hint = "Where its braces are text and no template: llmops prompt import FILE --format text, or --format openai."
        found = [(each.message, hint if each.hint in (None, EXPRESSION) else each.hint) for each in error.problems]
        raise InvalidFiles([Problem(file, message, hint=step) for message, step in found]) from None


class _AnyFile(Mapping[str, str]):
    """Stands for shared files that are not there yet: an import must not fail for an include."""

    def __getitem__(self, name: str) -> str:
        return ""

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Any:  # noqa: ANN401 -- an iterator over nothing
        return iter(())

    def __len__(self) -> int:
        return 0


def _refuse(file: str, message: str, hint: str | None = None, line: int | None = None) -> InvalidFiles:
    return InvalidFiles([Problem(file, message, line=line, hint=hint)])


def _from_text(text: str) -> str:
    """One user message. Text that is no template is kept as it is."""
    body = f"user:\n{escaped_roles(text)}\n"
    try:
        parse_prompt(body, file="text", shared={}, name="imported")
    except InvalidFiles:
        body = f"user:\n{_literal(text)}\n"
    return body


def _literal(text: str) -> str:
    """`text` as a template that renders to it."""
    return OPENING.sub(lambda match: "{{ '" + match[0] + "' }}", escaped_roles(text))


def _imported(messages: Sequence[tuple[str, str]], parameters: Mapping[str, Any], **front: Any) -> Imported:  # noqa: ANN401
    kept = {name: value for name, value in parameters.items() if settable(name, value)}
    left_out = tuple(str(name) for name in parameters if name not in kept)
    return Imported(_front({**front, "parameters": kept}) + _body(messages), left_out)


def _front(content: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in content.items() if value}
    if not kept:
        return ""
    return f"---\n{yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=1_000_000)}---\n"


def _body(messages: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{role}:\n{content.strip(chr(10))}\n" for role, content in messages)


def _from_prompty(text: str, file: str) -> Imported:
    head, body, first_line = split_front_matter(text, file)
    data = parse_yaml(head, file, first_line=2)[0] if head is not None else {}
    if not isinstance(data, dict | None):
        raise _refuse(file, "the front matter is not a mapping.", line=2)
    data = data or {}
    model = data.get("model")
    parameters = model.get("parameters") or model.get("options") or {} if isinstance(model, dict) else {}
    return _imported(
        _prompty_messages(body, first_line, file),
        parameters if isinstance(parameters, dict) else {},
        description=str(data.get("description") or data.get("name") or ""),
        variables=_prompty_variables(data),
        tags=[str(tag) for tag in data["tags"]] if isinstance(data.get("tags"), list) else [],
    )


def _prompty_messages(body: str, first_line: int, file: str) -> list[tuple[str, str]]:
    marks = list(_PROMPTY_ROLE.finditer(body))
    if not marks or body[: marks[0].start()].strip():
        # Prompty reads text before the first role line as the system message.
        start = body[: marks[0].start()] if marks else body
        messages = [("system" if marks else "user", start)]
    else:
        messages = []
    for index, mark in enumerate(marks):
        role = _ALIASES.get(mark[1].lower(), mark[1].lower())
        if role not in ROLES:
            line = first_line + body.count("\n", 0, mark.start())
            raise _refuse(file, f"{role} messages cannot be imported.", "Only system, user and assistant can.", line)
        stop = marks[index + 1].start() if index + 1 < len(marks) else len(body)
        messages.append((role, body[mark.end() : stop]))
    return messages


def _prompty_variables(data: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Variables from `inputs` (declared or given as samples) and from `sample`."""
    variables: dict[str, dict[str, Any]] = {}
    for key in ("inputs", "sample"):
        entries = data.get(key)
        for name, value in entries.items() if isinstance(entries, dict) else ():
            declared = value if isinstance(value, dict) and "type" in value else {"type": kind_of(value), "sample": value}
            entry = variables.setdefault(str(name), {})
            kind = {"list": "array", "dict": "object"}.get(str(declared.get("type")), declared.get("type"))
            entry.setdefault("type", kind if kind in FITS else "any")
            if declared.get("description"):
                entry["description"] = str(declared["description"])
            if declared.get("default") is not None:
                entry["default"] = declared["default"]
            elif declared.get("required") is False:
                entry["required"] = False
            sample = declared.get("sample")
            if sample is not None and "examples" not in entry and FITS[entry["type"]](sample):
                entry["examples"] = [sample]
    return variables


def _messages_of(data: object, file: str, *, templates: bool) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """Roles and contents, and the model parameters beside them; of `templates` an image may be a variable."""
    parameters: dict[str, Any] = {}
    if isinstance(data, dict) and "messages" in data:
        parameters = {key: value for key, value in data.items() if key not in _NOT_PARAMETERS}
        data = data["messages"]
    if not isinstance(data, list) or not data:
        raise _refuse(
            file, f"holds {kind_of(data)}; a list of messages was expected.", 'As in [{"role": "user", "content": "..."}].'
        )
    return [_message_of(item, number, file, templates=templates) for number, item in enumerate(data, 1)], parameters


def _message_of(item: object, number: int, file: str, *, templates: bool) -> tuple[str, str]:
    if not isinstance(item, dict) or not isinstance(item.get("role"), str):
        raise _refuse(file, f"message {number} has no role.")
    role = _ALIASES.get(item["role"], item["role"])
    if role not in ROLES:
        raise _refuse(
            file, f"message {number} has the role {role!r}; it cannot be imported.", "Only system, user and assistant can."
        )
    content = item.get("content")
    if isinstance(content, list):
        parts = [_part_of(part, templates=templates) for part in content]
        if None in parts:
            hint = "Of images only those can be imported that are a variable, such as {{ photo }}."
            raise _refuse(file, f"message {number} holds a part that is no text.", hint)
        content = "".join(part for part in parts if part)
    if not isinstance(content, str):
        raise _refuse(file, f"the content of message {number} is {kind_of(content)}; text was expected.")
    return role, content


def _part_of(part: object, *, templates: bool) -> str | None:
    """The text of a part of a message, or the template of an image's variable; None: it is neither."""
    if not isinstance(part, dict):
        return None
    if isinstance(part.get("text"), str) and part.get("type") in ("text", "input_text"):
        return str(part["text"])
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    found = _IMAGE.fullmatch(url.strip()) if templates and isinstance(url, str) else None
    return None if found is None else f"\n{found[1]}\n"


def _from_openai(text: str, file: str) -> Imported:
    messages, parameters = _messages_of(_json(text, file), file, templates=False)
    return _imported([(role, _literal(content)) for role, content in messages], parameters)


def _json(text: str, file: str) -> Any:  # noqa: ANN401 -- any JSON value
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _refuse(file, f"is not valid JSON: {error.msg}.", line=error.lineno) from None
    except RecursionError:
        raise _refuse(file, "is nested too deeply.") from None


def _from_promptfoo(text: str, file: str) -> list[Imported]:
    """Nunjucks templates: chat messages as JSON or YAML, or text prompts separated by `---` lines."""
    suffix = PurePosixPath(file.replace("\\", "/")).suffix.lower()
    if suffix in _PROGRAMS:
        raise _refuse(file, "is a program that makes prompts; it cannot be imported.", "Run it, and import what it prints.")
    is_yaml = suffix in (".yaml", ".yml")
    is_json = not is_yaml and (suffix == ".json" or _JSON.match(text) is not None)
    if is_json:
        text = _DUMPED.sub(lambda match: match[0] if match[1] is None else json.dumps(f"{{{{{match[1]}}}}}"), text)
    if is_yaml or is_json:
        data = parse_yaml(text, file)[0] if is_yaml else _json(text, file)
        if isinstance(data, dict) and "prompts" in data:
            told = "is a configuration of promptfoo; a file of one of its `prompts` was expected."
            raise _refuse(file, told, f"A project is made of all that it holds by: llmops init NEW_FOLDER --from {file}")
        messages, parameters = _messages_of(data, file, templates=True)
        return [_imported([(role, escaped_roles(as_jinja(content))) for role, content in messages], parameters)]
    text = as_jinja(text)
    # Of other files a line of hyphens is text.
    parts = [part for part in _SEPARATOR.split(text) if part.strip()] if suffix == ".txt" else [text]
    texts = [f"user:\n{escaped_roles(part.strip(chr(10)))}\n" for part in parts] or [_from_text(text)]
    return [Imported(each) for each in texts]


def export_prompt(version: PromptVersion, kind: PromptFormat, messages: Sequence[Message] | None = None) -> str:
    """A prompt as a file of another tool.

    Args:
        version: to export.
        kind: `prompty` and `promptfoo` hold the template; `text` and `openai` hold rendered messages.
        messages: the rendered messages, for `text` and `openai`.

    Raises:
        UsageError: the format cannot say what this prompt says.
    """
    if kind in ("text", "openai"):
        if messages is None:
            raise UsageError(
                f"the format {kind!r} holds rendered messages.", hint="Give values: --var NAME=VALUE or --case ID."
            )
        if kind == "openai":
            return json.dumps([message.to_json() for message in messages], indent=2, ensure_ascii=False) + "\n"
        return "\n\n".join(message.shown for message in messages) + "\n"
    _refuse_ours(version, kind)
    if kind == "promptfoo":
        chat = [{"role": message.role, "content": message.source.strip("\n")} for message in version.messages]
        return json.dumps(chat, indent=2, ensure_ascii=False) + "\n"
    inputs = {name: _prompty_input(version, name) for name in version.variables}
    front: dict[str, Any] = {"name": version.name, "description": version.description, "tags": list(version.tags)}
    front |= {"model": {"api": "chat", "parameters": dict(version.parameters)}, "inputs": inputs}
    return _front(front) + _body([(message.role, message.source) for message in version.messages])


def _prompty_input(version: PromptVersion, name: str) -> dict[str, Any]:
    variable = version.variables[name]
    entry: dict[str, Any] = {"type": variable.type}
    if variable.description:
        entry["description"] = variable.description
    if not variable.required:
        entry |= {"required": False} if variable.default is None else {"default": variable.default}
    if variable.examples:
        entry["sample"] = variable.examples[0]
    return entry


def _refuse_ours(version: PromptVersion, kind: str) -> None:
    lacking = None
    if any(message.role == EXPANSION for message in version.messages):
        lacking = "`{{ messages(...) }}`"
    elif version.shared:
        lacking = "files of `prompts/_shared/`"
    elif version.preamble.strip():
        lacking = "macros and imports before the first role line"
    elif kind == "prompty":
        found = next((found for message in version.messages if (found := _PROMPTY_ROLE.search(message.source))), None)
        lacking = f"the line `{found[0].strip()}` as text" if found else None
    if lacking:
        raise UsageError(
            f"the prompt {version.name!r} uses {lacking}, and {kind} files cannot.", hint="Export it rendered: openai."
        )
