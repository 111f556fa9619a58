"""Templates of Nunjucks, which promptfoo reads, as templates of Jinja."""

import re

from llmops.prompting.roles import pieces

_TOKEN = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|===|!==|\.length\b|\belseif\b|\|\s*dump\b", re.DOTALL)
_OURS = {"===": "==", "!==": "!=", ".length": "|length", "elseif": "elif"}


def as_jinja(text: str) -> str:
    """`text` with what Nunjucks spells otherwise: `===`, `!==`, `.length`, `elseif` and `| dump` in its tags."""
    parts = (
        _TOKEN.sub(_spelt, text[piece.start : piece.end]) if piece.kind in ("output", "tag") else text[piece.start : piece.end]
        for piece in pieces(text)
    )
    return "".join(parts)


def _spelt(token: re.Match[str]) -> str:
    return "| tojson" if token[0].startswith("|") else _OURS.get(token[0], token[0])
