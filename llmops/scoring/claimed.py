"""What is left of an answer without what claims nothing: courtesies, the names of its sources, the heads of its tables."""

import re
from collections.abc import Iterable

from llmops.scoring.attributions import without_attributions
from llmops.scoring.courtesies import without_courtesies

_table_head = re.compile(r"^[^\n|]*\|[^\n]*\n[ \t]*\|?[ \t]*:?-[-:| \t]*$", re.MULTILINE)


def claimed(answer: str, question: str = "", sources: Iterable[str] = ()) -> str:
    """The answer with spaces in place of what claims nothing; offsets stay.

    Args:
        answer: as the model wrote it.
        question: what it answers.
        sources: names of the passages that it rests on, as `without_attributions`.
    """
    text = _table_head.sub(lambda head: re.sub(r"[^\n]", " ", head[0]), answer)
    return without_courtesies(without_attributions(text, sources), question)
