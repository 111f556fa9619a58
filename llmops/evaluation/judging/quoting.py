"""Puts text of strangers in front of a judge so that it cannot pass for anything else."""

import unicodedata

from llmops.domain.keys import content_hash

_KEPT = {"\n", "\t"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode categories of characters that a reader does not see and a model does."""


def quoted(name: str, text: str) -> str:
    """A block of quoted material.

    Its marks carry a code made from the text itself, so that the text cannot hold its own end mark; runs of angle brackets
    and invisible characters are taken out, so that it cannot imitate another block either.

    Args:
        name: what the block is, such as `answer` or `passage 2`.
        text: what is quoted.
    """
    kept = "".join(c for c in text.replace("\r\n", "\n") if c in _KEPT or unicodedata.category(c) not in _INVISIBLE)
    kept = kept.replace("<<<", "‹‹‹").replace(">>>", "›››")
    code = content_hash(f"{name}\x00{kept}")[:8]
    return f"<<<{name} {code}>>>\n{kept}\n<<<end {name} {code}>>>"
