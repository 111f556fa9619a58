"""What the commands of one call share: the project, the consoles, and how an error is told."""

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.settings.project import Project
    from llmops.wiring import Wiring

from llmops.domain.errors import LlmopsError, UsageError


class Session:
    """One call of the command line."""

    def __init__(self, start: Path, *, debug: bool) -> None:
        self.start = start
        self.debug = debug

    @cached_property
    def root(self) -> Path:
        """The project's root.

        Raises:
            UsageError: there is no project here.
        """
        from llmops.settings.project import find_root

        if not self.start.is_dir():
            raise UsageError(f"The project {str(self.start)!r} is no folder.")
        return find_root(self.start.resolve())

    @property
    def in_project(self) -> bool:
        """Whether there is a project here; its llmops.yaml may still be invalid."""
        try:
            return bool(self.root)
        except UsageError:
            return False

    @cached_property
    def project(self) -> "Project":
        """The project's settings; its `.env` is read first, without overriding the environment.

        Raises:
            InvalidFiles: llmops.yaml or `.env` is not valid.
        """
        from llmops.settings.project import load_project

        if (self.root / ".env").is_file():
            from llmops.settings.environment import load_environment

            load_environment(self.root)
        return load_project(self.root)

    @cached_property
    def wiring(self) -> "Wiring":
        """The objects of the project."""
        from llmops.wiring import Wiring

        return Wiring(self.project)

    def close(self) -> None:
        """At the end of the command."""
        if "wiring" in vars(self):
            self.wiring.close()

    def named(self, path: Path) -> Path:
        """A file that the user names, from the folder where the command starts; `-` is stdout."""
        from llmops.settings.files import STDOUT

        return path if path == STDOUT else self.start / path

    @cached_property
    def out(self) -> "Console":
        """Results."""
        return console(stderr=False)

    @cached_property
    def err(self) -> "Console":
        """Logs and progress."""
        return console(stderr=True)

    def note(self, text: str) -> None:
        """Tell on stderr what stops nothing, and should be known."""
        from rich.text import Text

        from llmops.reporting.safe import safe

        self.err.print(Text(safe(text), style="yellow"), soft_wrap=True)

    @staticmethod
    def tell(error: LlmopsError) -> None:
        """Show an error and its next step on stderr."""
        from rich.text import Text

        from llmops.reporting.safe import safe

        err = console(stderr=True)
        err.print(Text.assemble(("error: ", "bold red"), safe(error.message)), soft_wrap=True)
        if error.hint:
            err.print(Text(safe(error.hint)), soft_wrap=True)


def wiring_or_bare(session: Session) -> "Wiring":
    """The objects of the project; where there is none, those that need none.

    Raises:
        InvalidFiles: there is a project, and its llmops.yaml is not valid.
    """
    from llmops.settings.positions import Positions
    from llmops.settings.project import FILE_NAME, Project, ProjectSettings
    from llmops.wiring import Wiring

    if session.in_project:
        return session.wiring
    return Wiring(Project(session.start, ProjectSettings(), Positions(FILE_NAME, {})))


def console(*, stderr: bool) -> "Console":
    """A console that colours only terminals and obeys NO_COLOR; a pipe is as wide as COLUMNS says, else 100 columns."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    asked = os.environ.get("COLUMNS", "")
    width = None if stream.isatty() else int(asked) if asked.isdecimal() and int(asked) else 100
    return Console(file=stream, stderr=stderr, highlight=False, width=width, emoji=False, markup=False)
