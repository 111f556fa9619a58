"""The guide from a folder of Markdown to measured answers, typed to the letter."""

from pathlib import Path

from command_line import write
from guides import blocks, typed

THINGS = {
    "Piano": "The walnut piano in the blue drawing room was tuned by Leopold from Salzburg before the wedding.",
    "Clock": "The brass clock above the marble fireplace loses eleven seconds whenever the heating is switched off.",
    "Carpet": "The woollen carpet under the long dining table came from Isfahan as a present for the grandparents.",
    "Mirror": "The silver mirror beside the wardrobe cracked while movers carried it up the narrow spiral stairs.",
    "Lamp": "The paraffin lamp on the writing desk is lit only during thunderstorms and on the eve of Epiphany.",
    "Atlas": "The leather atlas in the second bookcase shows the frontiers of Europe before the congress of Vienna.",
    "Pond": "The shallow pond behind the orchard is drained once in seven years to count the carp and the pike.",
    "Hives": "The wooden hives along the southern hedge belong to Agatha, who sells honey at the monastery gate.",
    "Saw": "The folding saw for pruning pear trees hangs beneath the veranda together with the rusty secateurs.",
    "Cider": "The cloudy cider ferments in oak barrels below the pantry until the almond blossom opens in March.",
    "Knives": "The carving knives are sharpened each quarter by a travelling grinder who arrives on a tricycle.",
    "Coffee": "The roasted coffee from Ethiopia is ground by hand because the electric mill frightens the parrot.",
    "Ledger": "The green ledger with the expenses of the household is balanced by Cornelius on the last Friday.",
    "Parcels": "The bulky parcels wait in the gatehouse until Thursday, when the courier from Bremen collects them.",
}
HANDBOOK = {
    "handbook/house.md": "# House\n\n## Boiler\n\nThe plumber Ferdinand repairs the boiler every second autumn.\n\n"
    + "".join(f"## {name}\n\n{text}\n\n" for name, text in list(THINGS.items())[:7]),
    "handbook/garden.md": "# Garden\n\n" + "".join(f"## {name}\n\n{text}\n\n" for name, text in list(THINGS.items())[7:]),
}


def test_the_commands_of_the_guide_work(tmp_path: Path) -> None:
    write(tmp_path, HANDBOOK)
    printed: dict[str, str] = {}
    for language, body in blocks("rag-in-ten-minutes.md"):
        if language == "yaml":
            write(tmp_path, {body.splitlines()[0].removeprefix("# "): body})
        elif language == "jinja":
            write(tmp_path, {"prompts/ask/prompt.j2": body})
        else:
            printed |= {line: typed(tmp_path, line) for line in body.splitlines()}
    assert len(printed) == 9
    assert "2 documents" in printed["llmops rag index"]
    assert "1. handbook/house.md" in printed['llmops rag query "Who repairs the boiler?"']
    assert "House > Boiler" in printed['llmops rag query "Who repairs the boiler?"']
    assert " queries, 2 documents" in printed["llmops rag eval handbook --dataset datasets/known-items.jsonl"]
    assert "retrieval" in printed["llmops eval evals/handbook.yaml"]
    assert "lost before the model" in printed["llmops rag diagnose"]
