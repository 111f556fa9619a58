"""Reads a Jupyter notebook as Markdown: its text and code, without what the code has printed or drawn."""

import json
import re
from collections.abc import Iterator
from typing import Any

from llmops.rag.markdown import plain_line

_not_in_name = re.compile(r"[^\w+#.-]")
_backticks = re.compile(r"`{3,}")


def notebook_to_markdown(text: str) -> str:
    """The cells of a notebook in their order, code between fences.

    Raises:
        ValueError: it is no notebook, or one of a format before 4.
    """
    try:
        notebook: Any = json.loads(text)
        if "worksheets" in notebook:
            raise _Unreadable("is a notebook of an old format; save it with a newer Jupyter")
        language = _not_in_name.sub("", notebook["metadata"].get("language_info", {}).get("name", ""))
        return "\n".join(_cells(notebook["cells"], language))
    except _Unreadable:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError("is no notebook, or a damaged one") from None


class _Unreadable(ValueError):
    """A notebook that we refuse, apart from what is none."""


def _cells(cells: list[dict[str, Any]], language: str) -> Iterator[str]:
    for cell in cells:
        source = "".join(cell["source"]).strip("\n")
        if not source.strip():
            continue
        if cell["cell_type"] == "code":
            fence = max(["```", *(f"{run}`" for run in _backticks.findall(source))], key=len)
            yield f"{fence}{language}\n{source}\n{fence}\n"
        elif cell["cell_type"] == "markdown":
            yield f"{source}\n"
        else:
            yield "".join(f"{plain_line(line)}\n" for line in source.split("\n"))
