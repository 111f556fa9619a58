"""Which chunks of an index are searched: `where` of its `retrieve`."""

from collections.abc import Mapping

from llmops.domain.retrieval import Chunk
from llmops.rag.globbing import path_regex
from llmops.settings.retrieval import WhereSettings


def searched(chunks: Mapping[str, Chunk], where: WhereSettings) -> dict[str, Chunk]:
    """The chunks for which all that is given holds, by id.

    Titles of headings are compared without regard to case.
    """
    globs = None if where.documents is None else [path_regex(text) for text in where.documents]
    titles = None if where.headings is None else {text.casefold() for text in where.headings}
    named: dict[str, bool] = {}

    def holds(chunk: Chunk) -> bool:
        if globs is not None and chunk.document not in named:
            named[chunk.document] = any(glob.fullmatch(chunk.document) for glob in globs)
        return (
            named.get(chunk.document, True)
            and (titles is None or any(title.casefold() in titles for title in chunk.headings))
            and all(chunk.metadata.get(name) == value for name, value in (where.metadata or {}).items())
        )

    return {key: chunk for key, chunk in chunks.items() if holds(chunk)}
