"""Counts in words, as messages and reports tell them."""


def many(count: int, noun: str) -> str:
    """`1 case`, `2 cases`, `1,203 queries`.

    Args:
        count: how many there are.
        noun: what they are, in the singular; of several words the last is counted.
    """
    return f"{count:,} {noun if count == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Of a regular noun."""
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
