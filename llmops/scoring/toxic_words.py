"""Our own list of words and phrases that are often toxic, by kind: one part of what the toxicity detector looks at.

A word of the list convicts nobody: the detector learned from labelled sentences what each kind weighs beside the rest of
the sentence. Entries are written as `normalise.normalised` leaves a text; `_` is a space, and `*` takes any ending.
"""

import re

_listed: dict[str, str] = {
    "swear": """
        fuck* motherfuck* fck fk fuk fuckin stfu gtfo bullshit* shit* horseshit dipshit* dumbass* jackass* asshole* asshat*
        cunt* bitch* bastard* dickhead* prick pricks twat* wanker* tosser* douche* son_of_a_bitch sob piece_of_shit pos
        dumbfuck* shithead* bitchass arsehole* cocksucker* fu fuck_you fuck_off go_fuck
    """,
    "mild swear": """
        damn* goddamn* dammit hell piss pissed ass asses arse arses badass crap crappy bollocks bugger* bloody freaking frigging
        effing wtf lmfao lmao omg bs af screwed suck sucks sucked screw balls
    """,
    "insult": """
        idiot* moron* imbecile* stupid* dumb dumber dumbest dummy fool fools loser* pathetic clown* scum scumbag* dirtbag*
        lowlife* sleaze* sleazy creep creeps freak freaks weirdo* jerk jerks swine vermin parasite* maggot* cockroach* filth*
        despicable vile worthless brainless spineless gutless coward* nutjob* nutcase* psycho* deranged delusional sicko*
        demented senile retarded ignoramus hag buffoon* dimwit* halfwit* nitwit* airhead* dolt* numbskull* blockhead*
        bonehead* wimp* brat* turd* waste_of_space waste_of_air waste_of_oxygen laughingstock braindead brain_dead imbecilic
        douchebag* subhuman* troglodyte* neanderthal* inbred simpleton* degenerate* pos disgrace
    """,
    "scorn": """
        trash garbage disgusting disgusted disgraceful repulsive gross ugly fat lazy useless clueless nasty shameless shame
        ashamed crazy insane lunatic* nuts ignorant incompetent evil wicked sick weak witch crybaby snowflake* bully* joke
        joker* pig pigs rat rats snake snakes weasel* dog dogs animal animals monkey* ape apes puppet* sheep troll* punk*
        hypocrit* makes_me_sick make_me_sick nobody_likes_you no_one_likes_you shut_up go_away go_to_hell rot_in get_lost
        get_a_life hate hates hated stink* vomit* puke* ridiculous laughable karen boomer* fake phony smug sorry_excuse grow_up
    """,
    "accusation": """
        liar* lying lies lied fraud* traitor* treason* crook* crooked criminal* thug* corrupt* terrorist* nazi* fascist*
        communist* commie* racist* racism sexist* bigot* murderer* predator* cheater* thief thieves tyrant* dictator* demon*
        monster* satan* puppet* propaganda brainwash* lock_him_up lock_her_up deport* jail prison impeach*
    """,
    "slur": """
        nigger* nigga* nigra* coon coons spic spics wetback* beaner* chink* gook* kike* kyke* raghead* towelhead* paki pakis
        gyppo* redneck* white_trash fag fags faggot* dyke* homo homos tranny trannies shemale* lesbo* sodomite* retard retards
        spastic* spaz cripple* crips mongoloid* whore* slut* skank* hoe hoes thot* bimbo* harlot* feminazi* libtard* libturd*
        republitard* trumptard* demonrat* demoncrat* infidel* untermensch* savages jihadi* abomination* camel_jockey
        sand_nigger half_breed illegals
    """,
    "threat": """
        kill kills killed killing murder* slaughter* shoot shot stab* strangle* chok* behead* hang hanged lynch* execut* burn
        burned rape* raping rapist* beat punch* kick smash* crush destroy* hurt bleed blood knife gun guns bomb* bullet* die
        dies death dead deserve_to deserves_to i_will_find you_will_pay watch_your_back coming_for exterminat* eradicat*
        wipe_out get_rid_of gas_chamber* genocide final_solution bash bashed torture* drown* poison* your_throat break_your
        rip_your
    """,
    "sexual": """
        sex sexy sexual* fuck_her fuck_him fuck_me pussy pussies cock cocks dick dicks penis vagina* tit tits titties boob*
        breast* nipple* cum cums cumming jizz sperm orgasm* horny blowjob* blow_job handjob* anal anus butt butthole porn*
        nude* naked panties boner* erection* erect masturbat* jerk_off jerking_off moan* thrust* suck_my sucked_his incest
        pedo pedos pedophil* paedophil* molest* grope* groping slutty milf* hentai dildo* threesome* gangbang* hooker*
        prostitut* deepthroat* ejaculat* arous* clit* lingerie bdsm on_her_knees on_your_knees bang banged screw_her
    """,
    "self-harm": """
        suicide* suicidal kill_yourself kill_myself killing_myself kys end_my_life end_your_life take_my_life take_your_own_life
        want_to_die wanna_die wish_i_was_dead hang_yourself hang_myself jump_off cut_myself cutting_myself cut_yourself
        cut_your self_harm* selfharm* slit_your slit_my overdos* pills wrists razor* blades starve* starving anorexi*
        thinspo bulimi* hurt_myself hurt_yourself better_off_dead noose self-harm* die_alone drink_bleach
    """,
    "you": "you your yours u ur yourself y'all youre you're",
    "they": "they them their those these people everyone all every",
    "somebody": "he she him her his hers this_guy that_guy who this_woman this_man",
    "self": "i me my myself we us our i'm im i've",
    "identity": """
        black blacks white whites muslim* islam* jew jews jewish christian* catholic* hindu* atheist* gay gays lesbian* queer*
        trans transgender* bisexual* homosexual* disabled blind deaf autistic mexican* latino* latina* hispanic* asian*
        chinese indian* arab* african* refugee* immigrant* migrant* foreigner* woman women girl* female* men feminist* elderly
        roma gypsies democrat* republican* liberal* conservative* dems leftist* left-wing right-wing
    """,
    "negation": "not no never don't doesn't didn't isn't aren't wasn't won't nobody cannot can't without nor neither",
    "report": """
        called calls calling said says word words wrote writing quot* forbid* forbidden against wrong should shouldn't report*
        moderator* removed suspended apologis* apologiz* hatred discriminat* protect* support* novel villain court article
        explain* treated heard shouted comment* insulted slurs offensive
    """,
    "kindness": "please thank thanks love loved proud lol haha great good best happy welcome friend friends helpline congrat*",
}
GROUPS = tuple(_listed)
HARMS = {
    "swear": "profanity",
    "mild swear": "profanity",
    "insult": "harassment",
    "scorn": "harassment",
    "accusation": "harassment",
    "slur": "hate",
    "threat": "threat",
    "sexual": "sexual",
    "self-harm": "self-harm",
}
"""The groups whose words can do harm, with the category that they speak for; the others are what stands around them."""


def _alternatives(listing: str) -> str:
    entries = sorted(listing.split(), key=len, reverse=True)
    return "|".join(re.escape(entry).replace(r"\*", r"\w*").replace("_", " ") for entry in entries)


_anywhere = {group: re.compile(rf"(?<![\w'])(?:{_alternatives(listing)})(?![\w'])") for group, listing in _listed.items()}
_edges = " .,;:!?'\"()[]*#-"


def occurrences(text: str) -> dict[str, int]:
    """How often words of each group stand in a normalised text."""
    return {group: len(pattern.findall(text)) for group, pattern in _anywhere.items()}


def category(phrase: str) -> str | None:
    """What a normalised word or phrase speaks for if all of it is on the list, as in `HARMS`."""
    bare = phrase.strip(_edges)
    return next((kind for group, kind in HARMS.items() if _anywhere[group].fullmatch(bare)), None)
