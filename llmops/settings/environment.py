"""The file `.env` of a project: read strictly, so that a damaged line is told where it stands."""

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from llmops.domain.errors import InvalidFiles, Problem
from llmops.settings.files import read_text
from llmops.settings.secrets import names_a_credential, sendable

FILE = ".env"


def load_environment(root: Path) -> None:
    """Put the variables of `.env` into the environment, without replacing any that is set.

    Raises:
        InvalidFiles: the file cannot be read, a line of it sets no variable, or a key in it cannot be sent.
    """
    if not (root / FILE).is_file():
        return
    text = read_text(root / FILE, root)
    problems = list(_problems(text))
    if problems:
        raise InvalidFiles(problems)
    for name, value in dotenv_values(stream=StringIO(text)).items():
        if value is not None:
            os.environ.setdefault(name, value)


def _problems(text: str) -> Iterator[Problem]:
    for each in parse_stream(StringIO(text)):
        blank = len(each.original.string) - len(each.original.string.lstrip())
        line = each.original.line + each.original.string.count("\n", 0, blank)
        if each.error or (each.key and each.value is None):
            yield Problem(FILE, "is not NAME=VALUE.", line, hint="Close each quote, and begin a comment with #.")
        if each.key and each.value and names_a_credential(each.key) and not sendable(each.value.strip()):
            hint = "Write it in one line; in double quotes \\n is a line break."
            yield Problem(FILE, "holds a control character, which no request can carry.", line, key=each.key, hint=hint)
