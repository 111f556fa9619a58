"""`llmops eval --watch`: the same evaluation again whenever a file of the project changes."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

from watchfiles import DefaultFilter, watch

from llmops.cli.session import Session
from llmops.cli.streams import lost_output
from llmops.domain.errors import LlmopsError
from llmops.reporting.safe import safe

OURS = {".llmops", "evidence"}
"""Folders that an evaluation writes to."""
TICK_MS = 500
STREAMS = (1, 2)
"""Descriptors of stdout and stderr, which may lead into a file of the project."""
SHOWN = 3
"""Changed files that are named."""


def watched(session: Session, evaluate: Callable[[Session], int], written: Collection[Path]) -> int:
    """Evaluate, and again after each change, until Ctrl-C or until nobody reads it.

    Settings, prompts and suites are read anew each time.

    Args:
        session: of the first evaluation.
        evaluate: runs the suites of a session and returns the exit code.
        written: reports, whose changes are none.

    Returns:
        The exit code of the last evaluation.

    Raises:
        LlmopsError: the project cannot be found.
    """
    from rich.text import Text

    code = 130
    changes = _changes(session.root, {path.resolve() for path in written})
    try:
        next(changes)  # from here on no change is lost, an evaluation under way or not
        code = _once(session, evaluate)
        for names in changes:
            if lost_output() is not None:
                break
            if not names:
                continue
            session = Session(session.start, debug=session.debug)
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            session.err.print(Text(f"\nchanged: {', '.join(names[:SHOWN])}{more}", style="dim"), soft_wrap=True)
            code = _once(session, evaluate)
    except KeyboardInterrupt:
        session.err.print()
    return code


def _once(session: Session, evaluate: Callable[[Session], int]) -> int:
    """One evaluation; an error is told and the next change may mend it."""
    try:
        code = evaluate(session)
    except LlmopsError as error:
        session.tell(error)
        code = 2
    session.err.print("watching for changes; Ctrl-C ends it", style="dim")
    return code


def _changes(root: Path, written: Collection[Path]) -> Iterator[list[str]]:
    """Names of the files that changed; nothing at first, and whenever a while has passed."""
    usual = DefaultFilter()
    told = {place for descriptor in STREAMS if (place := _place(descriptor)) is not None}

    def counts(change: "object", path: str) -> bool:
        inside = Path(path).relative_to(root)
        hidden = inside.name.startswith(".") and inside.name != ".env"  # half-written files among them
        ours = hidden or OURS & set(inside.parts) or Path(path) in written or _place(path) in told
        return usual(change, path) and not ours  # type: ignore[arg-type]

    for found in watch(root, watch_filter=counts, rust_timeout=TICK_MS, yield_on_timeout=True, raise_interrupt=True):
        yield sorted({safe(Path(path).relative_to(root).as_posix()) for _, path in found})


def _place(file: int | str) -> tuple[int, int] | None:
    """Device and inode of an open or named file, which tell it from all others; None when there is no such file."""
    with suppress(OSError):
        found = os.stat(file)
        return found.st_dev, found.st_ino
    return None
