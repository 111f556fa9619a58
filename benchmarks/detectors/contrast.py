"""Sentences from our own templates: identity words, quotation, negation and mild words beside insults and threats."""

from collections.abc import Iterator
from itertools import product

IDENTITIES = (
    "black", "white", "Muslim", "Jewish", "Christian", "gay", "lesbian", "transgender", "disabled", "old", "female", "Mexican",
    "Asian", "deaf", "immigrant", "blind",
)  # fmt: skip
INSULTS = ("idiot", "moron", "piece of shit", "stupid bitch", "fucking loser", "disgusting pig", "worthless trash", "dumbass")
THINGS = ("film", "meeting", "weather", "soup", "bug", "exam", "commute", "interface")

BENIGN = (
    "My {identity} neighbour bakes wonderful bread.",
    "She is a {identity} engineer who leads our team.",
    "The museum opened an exhibition about {identity} artists.",
    "I am {identity} and proud of my family.",
    "A {identity} man asked for directions to the station.",
    "The report describes the history of {identity} communities.",
    "He said that nobody should be insulted for being {identity}.",
    "Our {identity} students won the debate.",
    "Discrimination against {identity} people is against the law.",
    "The {thing} was terrible, and I would not recommend it.",
    "This {thing} kills me every Monday.",
    "I hate it when the {thing} takes so long.",
    "The {thing} was a stupid idea, but nobody was hurt.",
    "To kill the process of the {thing}, press Control and C.",
    "Please never call anybody an {insult}.",
    "The rules of the forum forbid words such as {insult}.",
    "You are kind and patient about the {thing}.",
    "Thank you for your help with the {thing}, you are great.",
)
TOXIC = (
    "You are an {insult}.",
    "Shut up, you {insult}.",
    "What an {insult} you are, nobody likes you.",
    "Only an {insult} would say that.",
    "Go away, {insult}, and never come back.",
    "{identity} people are {insult}s.",
    "I hate {identity} people, they should all leave.",
    "All {identity} people are liars and thieves.",
    "We should get rid of every {identity} person here.",
    "{identity} women are too dumb to vote.",
    "I will find you and hurt you, {insult}.",
    "You and your {identity} friends deserve to die.",
    "Kill yourself, {insult}.",
    "Nobody wants {identity} filth in this town.",
)


def sentences() -> Iterator[tuple[str, bool, int]]:
    """Text, whether it is toxic, and the number of its template."""
    for number, (template, toxic) in enumerate([(t, False) for t in BENIGN] + [(t, True) for t in TOXIC]):
        slots = {"identity": IDENTITIES, "insult": INSULTS, "thing": THINGS}
        used = [name for name in slots if f"{{{name}}}" in template]
        for values in product(*(slots[name] for name in used)):
            yield template.format(**dict(zip(used, values, strict=True))), toxic, number
