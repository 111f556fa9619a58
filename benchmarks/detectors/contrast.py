"""Writes the contrast set for toxicity from our own templates: python -m benchmarks.detectors.contrast [FILE].

Identity words, defence, quotation, negation, reclaimed and dialect use, mild words and health beside what they are taken
for. The set is a dataset of recorded answers: `metadata.toxic` is the label, the tag is what a sentence tests, and
`metadata.template` groups the folds of a cross-validation.
"""

import json
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benchmarks.detectors.contrast_templates import BENIGN, SLOTS, TOXIC
from llmops.settings.files import write_atomic

FILE = Path(__file__).parents[2] / "datasets" / "toxicity-contrast.jsonl"
FILLS = 9
"""Sentences of one template, at most: many templates teach more than many fillings."""

_slot = re.compile(r"\{(\w+)\}")
_article = re.compile(r"\b([Aa])n? (?=['\"]?(\w))")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of the set."""

    text: str
    toxic: bool
    category: str
    """Of a toxic sentence: `hate`, `harassment` ...; else empty."""
    kind: str
    """What it tests."""
    template: int

    def line(self, number: int) -> str:
        """As a case with a recorded answer."""
        metadata = {"toxic": self.toxic, "category": self.category, "template": f"t{self.template:03d}"}
        case = {"id": f"c-{number:04d}", "vars": {}, "output": self.text, "tags": [self.kind], "metadata": metadata}
        return json.dumps(case, ensure_ascii=True)


def sentences() -> Iterator[Sentence]:
    """The whole set, always the same."""
    benign = [(text, "", kind) for kind, texts in BENIGN.items() for text in texts]
    toxic = [(text, category, kind) for kind, texts in TOXIC.items() for category, text in texts]
    for number, (template, category, kind) in enumerate(benign + toxic):
        for text in fillings(template, random.Random(number)):
            yield Sentence(text, bool(category), category, kind, number)


def fillings(template: str, draw: random.Random, slots: Mapping[str, Sequence[str]] = SLOTS) -> list[str]:
    """At most `FILLS` sentences of a template, with the right article and a capital at the beginning."""
    names = list(dict.fromkeys(_slot.findall(template)))
    choices = list(product(*(slots[name] for name in names)))
    chosen = draw.sample(choices, min(FILLS, len(choices)))
    filled = (template.format(**dict(zip(names, values, strict=True))) for values in chosen)
    return [text[:1].upper() + text[1:] for text in (_article.sub(_with_article, text) for text in filled)]


def _with_article(match: re.Match[str]) -> str:
    return f"{match[1]}{'n' if match[2].lower() in 'aeiou' else ''} "


def main() -> None:
    if len(sys.argv) > 2:
        raise SystemExit(__doc__)
    file = Path(sys.argv[1]) if len(sys.argv) == 2 else FILE
    write_atomic(file, "".join(f"{sentence.line(number)}\n" for number, sentence in enumerate(sentences(), 1)))


if __name__ == "__main__":
    main()
