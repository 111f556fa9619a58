"""How a sentence of an answer is worded: does it hedge, advise, conclude, or speak of its passages?"""

import re

_PATTERNS = {
    "about the passages": r"passages?|context|provided|given|mention(?:ed|s)?|information|according to|based on",
    "numbers a passage": r"passage\s*\d|(?:first|second|third) passage|all three|passages",
    "hedges": r"may|might|could|likely|possibly|generally|typically|usually|often|perhaps|probably|sometimes",
    "advises": r"recommend(?:ed)?|consult|important to|should|advis(?:e|able|ed)|best to|make sure|be sure|ensure"
    r"|it is (?:always|also)",
    "concludes": r"overall|therefore|in conclusion|in summary|thus|hence|as a result|it can be (?:inferred|concluded)"
    r"|suggests?|impl(?:y|ies)|inferred?",
    "contrasts": r"however|although|but|while|unlike|instead|rather",
    "cannot tell": r"unable|cannot|not (?:possible|mentioned|specified|provided|enough)|no information"
    r"|do(?:es)? not (?:provide|mention|specify)",
    "adds": r"additionally|also|furthermore|moreover|in addition|other|another|such as|including|for example",
    "explains": r"because|due to|since|in order to|leads? to|caus(?:e|es|ed)|so that|which (?:is|can|means|may)",
    "addresses": r"i|we|my|our|you|your",
    "negates": r"not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n['’]t",
}
_kinds = {name: re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE) for name, pattern in _PATTERNS.items()}
_item = re.compile(r"\s*(?:[-*+•]\s|\d+[.)]\s)")

WORDING = (*_kinds, "list item", "colon", "question")
"""Order of the numbers in `wording`."""


def wording(text: str) -> tuple[float, ...]:
    """1 for each kind of wording that a sentence has, ordered as `WORDING`."""
    found = [pattern.search(text) is not None for pattern in _kinds.values()]
    return tuple(map(float, (*found, _item.match(text) is not None, text.rstrip().endswith(":"), "?" in text)))


def negates(text: str) -> bool:
    """Whether a sentence holds a negation."""
    return _kinds["negates"].search(text) is not None
