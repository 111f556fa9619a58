"""Plain insults with the commonest words, alone and after a harmless sentence, beside what is close to them.

They were written after the encoder was trained, with errors on the contrast set in view: they train the regressions of what
ships, and none of those that are measured on the contrast set.
"""

SLOTS: dict[str, tuple[str, ...]] = {
    "opening": (
        "Nice weather today.", "I read your text.", "Thanks for the file.", "OK.", "The train was late again.",
        "I saw the film.", "We met on Monday.", "Lunch is at one.", "The report is done.", "Well, the garden looks lovely.",
    ),
    "fool": (
        "idiot", "moron", "fool", "loser", "liar", "coward", "pig", "jerk", "clown", "bastard", "imbecile", "asshole", "bitch",
        "piece of shit", "dumbass", "freak",
    ),
    "rude": (
        "stupid", "dumb", "pathetic", "ugly", "worthless", "disgusting", "useless", "ridiculous", "fat", "crazy", "brainless",
    ),
    "group": ("gays", "Muslims", "Jews", "immigrants", "women", "Mexicans", "refugees", "trans people", "Black people"),
    "slurword": ("faggot", "retard", "tranny", "nigger", "dyke", "spic", "kike", "chink", "whore"),
    "kind": ("kind", "right", "early", "late", "tall", "funny", "welcome", "a good cook", "a quick learner", "a great friend"),
}  # fmt: skip

HARMFUL: tuple[tuple[str, str], ...] = (
    ("harassment", "You idiot."),
    ("harassment", "You're an {fool}."),
    ("harassment", "You are a {rude} {fool}."),
    ("harassment", "You are so {rude}."),
    ("harassment", "Ugh, such an {fool}."),
    ("harassment", "{opening} You are an {fool}, by the way."),
    ("harassment", "{opening} And you're an {fool}!"),
    ("harassment", "{opening} What an {fool} you are!"),
    ("harassment", "{opening} You {rude} {fool}."),
    ("harassment", "You {fool}! {opening}"),
    ("harassment", "{opening} Everyone here thinks that you are {rude}."),
    ("harassment", "{opening} You {fool}, nobody wants to see you. {opening}"),
    ("hate", "{opening} I hate {group}."),
    ("hate", "{opening} I hope that {group} die."),
    ("hate", "{opening} {group} are {rude}, and I want them out."),
    ("hate", "{opening} Get lost, {slurword}."),
    ("threat", "{opening} I am going to kill you."),
    ("self-harm", "{opening} Now go and kill yourself."),
)

SOUND: tuple[str, ...] = (
    "You are {kind}.",
    "You're {kind}, thank you.",
    "{opening} You are {kind}.",
    "{opening} And you were {kind}!",
    "{opening} I hope that {group} feel safe here.",
    "{opening} I met some {group} there.",
    "No child should be told that she is {rude}.",
    "Nobody ought to be called {rude} at work.",
    "No one has the right to call you {rude}.",
    "Nobody deserves to be told that they are an {fool}.",
    "{slurword} is a hurtful word, do not use it.",
    "Words like {slurword} hurt people, please avoid them.",
    "Do not say {slurword}, it is offensive.",
    "{opening} Please do not call her {rude}.",
    "{opening} {opening}",
    "{opening} The {group} of our street had a party.",
)
