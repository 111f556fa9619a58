"""Words of an answer, a case or a passage in the reason of a score."""

from llmops.settings.secrets import masked

WIDTH = 60


def excerpt(text: str) -> str:
    """At most `WIDTH` characters in quotation marks; masked before it is cut, because half a key looks like none.

    What is short enough is masked where it is shown, as all of a report is.
    """
    return repr(shortened(text))


def shortened(text: str) -> str:
    """As `excerpt`, without the quotation marks."""
    return text if len(text) <= WIDTH else cut(masked(text), WIDTH)


def cut(text: str, width: int) -> str:
    """At most `width` characters, with dots in place of what is left out."""
    return text if len(text) <= width else f"{text[: width - 3]}..."
