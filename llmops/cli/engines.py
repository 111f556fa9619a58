"""Where the work of a command is done: the options of every command that can work on a cluster."""

from typing import Annotated, Literal

import typer

from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session
from llmops.domain.errors import UsageError

EngineOption = Annotated[Literal["local", "ray"], typer.Option("--engine", help="Work in this process, or on a Ray cluster.")]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT", help="With --engine ray: the cluster; default: the one of this machine."),
]


def use_engine(session: Session, engine: Literal["local", "ray"], address: str | None, *, quiet: bool = False) -> None:
    """Connect the session to a cluster when one is asked for.

    Raises:
        MissingExtra: Ray is not installed.
        UsageError: an address without `ray`, or a cluster that is not there or cannot be used.
    """
    if engine == "ray":
        with ShownProgress(session.err, quiet=quiet) as progress:
            session.wiring.use_ray(address, progress)
    elif address is not None:
        raise UsageError("--address names a Ray cluster.", hint="Add --engine ray")
