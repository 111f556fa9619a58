"""Numbers of options: Click takes `nan` and `inf` for any that is not an integer."""

from math import isfinite

import typer


def finite(value: float | None) -> float | None:
    """Refuse what is no finite number; a callback of an option.

    Raises:
        BadParameter: it is `nan` or an infinity.
    """
    if value is not None and not isfinite(value):
        raise typer.BadParameter(f"{value:g} is no finite number.")
    return value
