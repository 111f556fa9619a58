"""What the labels of a public classifier mean: by their names, by the model's name, or as a suite declares them."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

Grounding = Literal["supported", "contradicted", "not found"]
Harm = Literal["none", "toxic", "hate", "harassment", "threat", "sexual", "self-harm", "profanity"]
SUPPORTED, CONTRADICTED, NOT_FOUND = "supported", "contradicted", "not found"
NONE, TOXIC = "none", "toxic"
CATEGORIES = ("hate", "harassment", "threat", "sexual", "self-harm", "profanity")
"""Kinds of harm, in the order in which the embedded detector rates them."""

_by_label: dict[str, dict[str, str]] = {
    "hallucination": {
        SUPPORTED: "supported entailment entailed entails consistent factual faithful grounded attributable",
        CONTRADICTED: "contradiction contradicted contradicts refuted refutes",
        NOT_FOUND: "notfound neutral notentailment notentailed unsupported hallucination hallucinated inconsistent nonfactual"
        " unfaithful notenoughinfo",
    },
    "toxicity": {
        NONE: "none neutral normal safe clean nontoxic nottoxic nothate nonhate nonoffensive notoffensive acceptable",
        TOXIC: "toxic toxicity severetoxic severetoxicity offensive abusive abuse unsafe harmful",
        "hate": "hate hateful hatespeech identityhate identityattack",
        "harassment": "harassment insult insulting",
        "threat": "threat threatening violence",
        "sexual": "sexual sexualexplicit",
        "self-harm": "selfharm",
        "profanity": "profanity obscene obscenity",
    },
}
_known = {
    kind: {name: meaning for meaning, names in found.items() for name in names.split()} for kind, found in _by_label.items()
}
_by_model: tuple[tuple[str, dict[str, str]], ...] = (
    ("lettucedect", {"LABEL_0": SUPPORTED, "LABEL_1": NOT_FOUND}),
    ("hallucination_evaluation_model", {"LABEL_0": SUPPORTED}),
    ("nli-deberta", {"LABEL_0": CONTRADICTED, "LABEL_1": SUPPORTED, "LABEL_2": NOT_FOUND}),
    ("nli-roberta", {"LABEL_0": CONTRADICTED, "LABEL_1": SUPPORTED, "LABEL_2": NOT_FOUND}),
    ("nli-minilm", {"LABEL_0": CONTRADICTED, "LABEL_1": SUPPORTED, "LABEL_2": NOT_FOUND}),
    ("twitter-roberta-base-offensive", {"LABEL_0": NONE, "LABEL_1": TOXIC}),
    ("twitter-roberta-base-hate", {"LABEL_0": NONE, "LABEL_1": "hate"}),
    ("roberta-hate-speech-dynabench", {"LABEL_0": NONE, "LABEL_1": "hate"}),
)
"""Published models whose labels tell nothing, by a part of their name; their cards say what each label means."""


def meanings(kind: str, model: str, labels: Sequence[str], declared: Mapping[str, str]) -> list[str | None]:
    """What each label of a model means, None where nobody says.

    Args:
        kind: `hallucination` or `toxicity`.
        model: the model's name or folder.
        labels: its labels, in the order of its outputs.
        declared: meaning by label, as the user wrote it; goes before all else.
    """
    published = next((found for part, found in _by_model if part in model.lower()), {})
    return [declared.get(label) or published.get(label) or _known[kind].get(_bare(label)) for label in labels]


def _bare(label: str) -> str:
    return re.sub(r"[\W_]+", "", label.lower())
