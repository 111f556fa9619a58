"""What the learned router sees of a prompt besides its embedding: length and shape."""

import math
import re

NAMES = (
    "characters", "words", "digits", "lines", "question", "code", "word length", "symbols", "choices", "capitals",
)  # fmt: skip
_choice = re.compile(r"(?m)^\s*\(?[A-E][).]\s")
_code = re.compile(r"```|\bdef \w+\(|\bSELECT\b|[{};]\s*$", re.MULTILINE)


def shape(prompt: str) -> tuple[float, ...]:
    """Ordered as `NAMES`; counts on a logarithmic scale."""
    words = prompt.split()
    symbols = sum(not c.isalnum() and not c.isspace() for c in prompt)
    return (
        math.log1p(len(prompt)),
        math.log1p(len(words)),
        math.log1p(sum(c.isdigit() for c in prompt)),
        math.log1p(prompt.count("\n")),
        float("?" in prompt),
        float(bool(_code.search(prompt))),
        sum(map(len, words)) / max(1, len(words)),
        math.log1p(symbols),
        math.log1p(len(_choice.findall(prompt))),
        sum(c.isupper() for c in prompt) / max(1, len(prompt)),
    )
