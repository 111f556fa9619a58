"""Span F1 of the pattern-based PII finder on labelled sentences, beside Presidio's default when it is installed.

    python -m benchmarks.pii DIR        DIR holds presidio_pii_synth/even.jsonl

Presidio runs in this interpreter, or in the one that the variable PRESIDIO_PYTHON names.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from llmops.scoring.pii import find_pii

NAMES = {
    "card": "CREDIT_CARD",
    "iban": "IBAN_CODE",
    "email": "EMAIL_ADDRESS",
    "phone": "PHONE_NUMBER",
    "ssn": "US_SSN",
    "ip": "IP_ADDRESS",
}
PRESIDIO = """
import json, sys
import spacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine
if spacy.util.is_package("en_core_web_lg"):
    engine = AnalyzerEngine()
else:  # the kinds that are compared come from patterns; the language model would only find names
    spacy.blank("en").to_disk(sys.argv[1])
    engine = AnalyzerEngine(nlp_engine=SpacyNlpEngine(models=[{"lang_code": "en", "model_name": sys.argv[1]}]))
    print("Presidio runs with a blank pipeline: en_core_web_lg is not installed", file=sys.stderr)
for line in sys.stdin:
    found = engine.analyze(text=json.loads(line), language="en", entities=%r, score_threshold=0.35)
    print(json.dumps([[each.entity_type, each.start, each.end, each.score] for each in found]))
"""

Spans = set[tuple[int, str, int, int]]


def ours(texts: list[str]) -> Spans:
    return {(n, NAMES[each.kind], each.start, each.end) for n, text in enumerate(texts) for each in find_pii(text)}


def presidio(texts: list[str]) -> Spans | None:
    python = os.environ.get("PRESIDIO_PYTHON", sys.executable)
    lines = "".join(f"{json.dumps(text)}\n" for text in texts)
    program = PRESIDIO % list(NAMES.values())
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([python, "-c", program, folder], input=lines, capture_output=True, text=True, check=False)
    told = done.stderr.splitlines()
    print("".join(f"\n{line}" for line in told if line.startswith("Presidio")))
    if done.returncode:
        print(f"Presidio did not run: {told[-1:]}")
        return None
    found: Spans = set()
    for number, line in enumerate(done.stdout.splitlines()):
        taken: list[tuple[int, int]] = []
        for kind, start, end, _ in sorted(json.loads(line), key=lambda each: -each[3]):
            if all(end <= a or start >= b for a, b in taken):  # the same text as two kinds counts as the likelier
                taken.append((start, end))
                found.add((number, kind, start, end))
    return found


def report(name: str, found: Spans, truth: Spans) -> None:
    print(f"\n{name}")
    for kind in (*NAMES.values(), "all"):
        mine = {each for each in found if kind in (each[1], "all")}
        right = {each for each in truth if kind in (each[1], "all")}
        hit = len(mine & right)
        precision, recall = hit / len(mine) if mine else 0.0, hit / len(right) if right else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hit else 0.0
        print(f"  {kind:<16}{len(right):>6}{precision:>10.1%}{recall:>10.1%}{f1:>10.1%}")


def main() -> None:
    rows = [json.loads(line) for line in (Path(sys.argv[1]) / "presidio_pii_synth" / "even.jsonl").open(encoding="utf-8")]
    texts = [row["text"] for row in rows]
    spans = [(n, s["entity_type"], s["start"], s["end"]) for n, row in enumerate(rows) for s in row["spans"]]
    truth = {span for span in spans if span[1] in NAMES.values()}
    print(f"{len(texts)} sentences, {len(truth)} spans of kinds with a pattern")
    print(f"  {'kind':<16}{'spans':>6}{'precision':>10}{'recall':>10}{'F1':>10}")
    found = ours(texts)
    report("llmops", found, truth)
    if "-v" in sys.argv:
        for title, some in (("wrong", found - truth), ("missed", truth - found)):
            print(title, Counter(kind for _, kind, _, _ in some))
            for number, kind, start, end in sorted(some)[:40]:
                print(f"    {kind:<14}{texts[number][start:end]!r:<30} in {texts[number][max(0, start - 30) : end + 15]!r}")
    theirs = presidio(texts)
    if theirs is not None:
        report("Presidio", theirs, truth)


if __name__ == "__main__":
    main()
