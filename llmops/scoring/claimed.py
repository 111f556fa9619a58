"""What is left of an answer without what claims nothing: courtesies, names of sources, heads of tables, what it declines."""

import re
from collections.abc import Iterable

from llmops.scoring.attributions import without_attributions
from llmops.scoring.courtesies import without_courtesies
from llmops.scoring.refusal import refuses
from llmops.scoring.sentences import blank, split_sentences

_table_head = re.compile(r"^[^\n|]*\|[^\n]*\n[ \t]*\|?[ \t]*:?-[-:| \t]*$", re.MULTILINE)


def claimed(answer: str, question: str = "", sources: Iterable[str] = ()) -> str:
    """The answer with spaces in place of what claims nothing; offsets stay.

    Args:
        answer: as the model wrote it.
        question: what it answers.
        sources: names of the passages that it rests on, as `without_attributions`.
    """
    text = _table_head.sub(lambda head: blank(head[0]), answer)
    return _without_refusals(without_courtesies(without_attributions(text, sources), question))


def _without_refusals(answer: str) -> str:
    """Without the sentences that decline, such as "The passages do not say when."."""
    parts, at = list[str](), 0
    for sentence in split_sentences(answer):
        if refuses(sentence.text):
            parts += (answer[at : sentence.start], blank(sentence.text))
            at = sentence.end
    return "".join((*parts, answer[at:]))
