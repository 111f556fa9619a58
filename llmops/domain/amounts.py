"""Amounts as people read them: dollars, seconds, shares, plain numbers."""

import math


def amount(value: float, unit: str) -> str:
    """A value with its unit, three significant digits."""
    if unit == "USD":
        return dollars(value)
    if unit == "s":
        return seconds(value)
    if unit == "%":
        return f"{value:.1%}".replace("%", " %")
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def dollars(value: float | None) -> str:
    """USD; small amounts keep two significant digits, an unknown one is called so."""
    if value is None:
        return "unknown"
    if value == 0:
        return "$0"
    if value < 0:
        return f"-{dollars(-value)}"
    if value >= 1:
        return f"${value:,.2f}"
    return f"${value:.{1 - math.floor(math.log10(value))}f}" if value >= 1e-7 else f"${value:.1e}"


def seconds(value: float | None) -> str:
    """A duration: microseconds to minutes."""
    if value is None:
        return "not measured"
    if value < 0:
        return f"-{seconds(-value)}"
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.3g} s" if value < 120 else f"{value / 60:.1f} min"
