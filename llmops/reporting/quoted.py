"""Text of strangers in a report for a terminal: behind a bar, so that no line of a log begins with it."""

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style

BAR = "│ "
"""Code hosts run what a line begins with, such as `::error::`, whatever spaces stand before it."""


class Quoted:
    """A part of a report with a bar before each of its lines, wrapped ones too."""

    def __init__(self, part: RenderableType, indent: int = 0) -> None:
        self._part = part
        self._bar = " " * indent + BAR

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the part."""
        inner = options.update_width(max(1, options.max_width - len(self._bar)))
        for line in console.render_lines(self._part, inner.update(height=None), pad=False):
            yield Segment(self._bar, Style(dim=True))
            yield from line
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """The columns of the part and of the bar."""
        found = Measurement.get(console, options, self._part)
        return Measurement(found.minimum + len(self._bar), found.maximum + len(self._bar)).with_maximum(options.max_width)
