"""Our own list of words and phrases that are often toxic, by kind: one part of what the toxicity detector looks at.

A word of the list convicts nobody: the detector learned from labelled sentences what each kind weighs beside the rest of
the sentence. Entries are written as `normalise.normalised` leaves a text; `_` is a space, and `*` takes any ending.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_listed: dict[str, str] = {
    "swear": """
        fuck* motherfuck* fck fk fuk fuckin stfu gtfo bullshit* shit* horseshit dipshit* dumbass* jackass* asshole* asshat*
        cunt* bitch* bastard* dickhead* prick pricks twat* wanker* tosser* douche* son_of_a_bitch sob piece_of_shit pos
        dumbfuck* shithead* bitchass arsehole* cocksucker* fu fuck_you fuck_off go_fuck fkn fking mofo* mf mfs mfer* effing
        bs_artist kiss_my_ass up_your_ass ass_kisser* jagoff* bellend* fuckwit* clusterfuck* full_of_shit eat_shit suck_it
        screw_you kma foh bish btch azz ass_hat shove_it
    """,
    "mild swear": """
        damn* goddamn* dammit hell piss pissed ass asses arse arses badass crap crappy bollocks bugger* bloody freaking
        frigging effing wtf lmfao lmao omg bs af screwed suck sucks sucked screw balls
    """,
    "insult": """
        idiot* moron* imbecile* stupid* dumb dumber dumbest dummy fool fools loser* pathetic clown* scum scumbag* dirtbag*
        lowlife* sleaze* sleazy creep creeps freak freaks weirdo* jerk jerks swine vermin parasite* maggot* cockroach* filth*
        despicable vile worthless brainless spineless gutless coward* nutjob* nutcase* psycho* deranged delusional sicko*
        demented senile retarded ignoramus hag buffoon* dimwit* halfwit* nitwit* airhead* dolt* numbskull* blockhead*
        bonehead* wimp* brat* turd* waste_of_space waste_of_air waste_of_oxygen laughingstock braindead brain_dead imbecilic
        douchebag* subhuman* troglodyte* neanderthal* inbred simpleton* degenerate* pos disgrace cretin* halfwit* sellout*
        windbag* crybab* bimbo* crackpot* wacko* whacko* loon loons loony kook kooks moonbat* cuck* sheeple deplorable*
        unhinged rabid demonic numpty muppet plonker lunkhead* scoundrel* charlatan* lapdog* sack_of pile_of half-wit con_man
        conman pond_scum bottom_feeder* no_brain brainwashed two-faced sick_fuck
    """,
    "scorn": """
        trash garbage disgusting disgusted disgraceful repulsive gross ugly fat lazy useless clueless nasty shameless shame
        ashamed crazy insane lunatic* nuts ignorant incompetent evil wicked sick weak witch crybaby snowflake* bully* joke
        joker* pig pigs rat rats snake snakes weasel* dog dogs animal animals monkey* ape apes puppet* sheep troll* punk*
        hypocrit* makes_me_sick make_me_sick nobody_likes_you no_one_likes_you shut_up go_away go_to_hell rot_in get_lost
        get_a_life hate hates hated stink* vomit* puke* ridiculous laughable karen boomer* fake phony smug sorry_excuse
        grow_up cry_me cry_more stay_mad crawl_back embarrassing embarrassed embarrassment whine* whining whiny rot cult
        get_a_job sit_down nobody_cares no_one_cares go_cry get_over_it go_home_you you_people these_people shut_your awful
        horrible hideous failure* cowardly ashamed_of_yourself senseless nonsense bogus hoax joke_of
    """,
    "accusation": """
        liar* lying lies lied fraud* traitor* treason* crook* crooked criminal* thug* corrupt* terrorist* nazi* fascist*
        communist* commie* racist* racism sexist* bigot* murderer* predator* cheater* thief thieves tyrant* dictator* demon*
        monster* satan* puppet* propaganda brainwash* lock_him_up lock_her_up deport* jail prison impeach* fake_news rapist*
        cheat cheats cheating steal steals stealing thieving con conning rigged swamp lock_up sold_out bribe* guilty coverup
        cover-up treasonous seditious anti-american unamerican marxist* antifa
    """,
    "slur": """
        nigger* nigga* nigra* coon coons spic spics wetback* beaner* chink* gook* kike* kyke* raghead* towelhead* paki pakis
        gyppo* redneck* white_trash fag fags faggot* dyke* homo homos tranny trannies shemale* lesbo* sodomite* retard retards
        spastic* spaz cripple* crips mongoloid* whore* slut* skank* hoe hoes thot* bimbo* harlot* feminazi* libtard* libturd*
        republitard* trumptard* demonrat* demoncrat* infidel* untermensch* savages jihadi* abomination* camel_jockey
        sand_nigger half_breed illegals gooks coon darkie* jigaboo* pickaninn* pikey* golliwog* wop wops dago dagos polack*
        honky heeb* bulldyke* batty_boy poofter* poof poofs homos sissy sissies she-male* ladyboy* mudblood* goatfucker*
        sandnigger* jungle_bunny porch_monkey* zipperhead* slant-eye* slanteye* squaw* negro* hoe-ass thots incel* femoid*
    """,
    "threat": """
        kill kills killed killing murder* slaughter* shoot shot stab* strangle* chok* behead* hang hanged lynch* execut* burn
        burned rape* raping rapist* beat punch* kick smash* crush destroy* hurt bleed blood knife gun guns bomb* bullet* die
        dies death dead deserve_to deserves_to i_will_find you_will_pay watch_your_back coming_for exterminat* eradicat*
        wipe_out get_rid_of gas_chamber* genocide final_solution bash bashed torture* drown* poison* your_throat break_your
        rip_your stabbed shooting shooter shotgun rifle machete bullets knives skull brain_splatter* splatter* gore gory
        butcher* dismember* decapitat* cut_off cut_their cut_your slit* throat blood-soaked bloody_mess corpse* explosive*
        explod* blow_up blow_yourself massacre* wiped_out round_up hunt_down hunted smack slap bury_you gut guts break_every
        hit_by_a hang_from take_up_arms heads_off shoot_up line_them put_down
    """,
    "sexual": """
        sex sexy sexual* fuck_her fuck_him fuck_me pussy pussies cock cocks dick dicks penis vagina* tit tits titties boob*
        breast* nipple* cum cums cumming jizz sperm orgasm* horny blowjob* blow_job handjob* anal anus butt butthole porn*
        nude* naked panties boner* erection* erect masturbat* jerk_off jerking_off moan* thrust* suck_my sucked_his incest
        pedo pedos pedophil* paedophil* molest* grope* groping slutty milf* hentai dildo* threesome* gangbang* hooker*
        prostitut* deepthroat* ejaculat* arous* clit* lingerie bdsm on_her_knees on_your_knees bang banged screw_her erotic*
        seduc* undress* fellatio cunnilingus lick licked licking sucking sucks_his orgy orgies slave_girl dominatrix bondage
        dirty_talk thigh thighs crotch groin lust lustful climax* fondl* foreplay nsfw smut rough_sex had_sex having_sex
        make_love wet_pussy hard_cock stroked_himself busty cleavage upskirt strip_club stripper* escort* fetish*
    """,
    "self-harm": """
        suicide* suicidal kill_yourself kill_myself killing_myself kys end_my_life end_your_life take_my_life
        take_your_own_life want_to_die wanna_die wish_i_was_dead hang_yourself hang_myself jump_off cut_myself cutting_myself
        cut_yourself cut_your self_harm* selfharm* slit_your slit_my overdos* pills wrists razor* blades starve* starving
        anorexi* thinspo bulimi* hurt_myself hurt_yourself better_off_dead noose self-harm* die_alone drink_bleach not_wake_up
        never_wake_up end_it_all ending_it end_it kill_herself kill_himself killed_himself killed_herself self_injur*
        burn_myself throw_up_after purging purge no_reason_to_live don't_deserve_to_live want_it_to_end suicide_note
        goodbye_letter unalive* done_with_life done_with_this_life tired_of_living gone_forever
    """,
    "you": "you your yours u ur yourself y'all youre you're you've you'll your'e",
    "they": "they them their those these people everyone all every",
    "somebody": "he she him her his hers this_guy that_guy who this_woman this_man",
    "self": "i me my myself we us our i'm im i've",
    "identity": """
        black blacks white whites muslim* islam* jew jews jewish christian* catholic* hindu* atheist* gay gays lesbian* queer*
        trans transgender* bisexual* homosexual* disabled blind deaf autistic mexican* latino* latina* hispanic* asian*
        chinese indian* arab* african* refugee* immigrant* migrant* foreigner* woman women girl* female* men feminist* elderly
        roma gypsies sikh* pakistani* turk turks turkish syrian* somali* nigerian* poles romanian* native_american* buddhist*
        nonbinary wheelchair foreign
    """,
    "politics": """
        democrat* republican* liberal* conservative* dems gop leftist* left-wing right-wing the_left the_right tories tory
        maga antifa president senator* governor* mayor congress* minister* politician* media journalist* party election* vote*
        voter* gun_control socialist* progressives elite elites patriots government brexit hearing border taxes
    """,
    "negation": """
        not no never don't doesn't didn't isn't aren't wasn't won't nobody cannot can't without nor neither ain't couldn't
        wouldn't haven't hasn't stop
    """,
    "report": """
        called calls calling said says word words wrote writing quot* forbid* forbidden against wrong should shouldn't report*
        moderator* removed suspended apologis* apologiz* hatred discriminat* protect* support* novel villain court article
        explain* treated heard shouted comment* insulted slurs offensive
    """,
    "machine": """
        process processes thread* server* script* daemon* container* pod pods job jobs node nodes branch* database* query
        queries kernel* module* command* signal* code codebase compil* patch* bug bugs test tests child_process
        child_processes zombie* slave replica primary memory transaction* session* terminal shell python linux unix git docker
        sql exit_code worker workers cron background task tasks loop binary disk file files table tables rows cluster* deploy*
        build builds abort* hangs
    """,
    "news": """
        police court arrest* sentenced attack* war wars soldier* injured according history historian* museum documentary
        survivor* victim* memorial massacre* witness* suspect* charged convicted shooting explosion earthquake storm
        investigat* officials condemned rally fined crime crimes rose thousands civilians prisoners archive during statement
        spokes* troops army
    """,
    "medicine": """
        doctor* nurse* patient* symptom* treat treated treatment* therap* cancer* disease* pain screening clinic* hospital*
        medicine* infection* contracept* condom* pregnan* puberty depress* helpline diagnos* antibiotic* medical health
        healthy surgery vaccin* virus* lump rash urolog* gynaec* examined consent prevention recover* sober rehab bereaved
        counsel*
    """,
    "agreement": """
        agree agrees agreed truth exactly indeed was_right is_right are_right deserves_it deserve_it deserves_every fits
        say_it_again hilarious finally honest honestly fact facts true with_respect due_respect of_course my_opinion i_think
        natural simply just
    """,
    "request": """
        write describe explain tell_me give_me how_do how_can how_to teach_me pretend story poem scene essay roleplay
        role_play imagine help_me where_can what_is_the summarise summarize translate task rap joke_about list in_detail
    """,
    "intent": """
        will i'll we'll gonna going_to let's lets should must ought want_to wants_to wish hope hopes need_to needs_to would
        tonight tomorrow soon next_time someone_should somebody deserve deserves time_to just_wait coming_to about_to ready
    """,
    "object": """
        this that it thing film movie meeting weather soup exam printer phone car laptop game song book bus train update show
        concert episode traffic day monday* mondays week morning work school homework coffee food bug interface
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


def _pattern(entry: str) -> str:
    return re.escape(entry).replace(r"\*", r"\w*").replace("_", " ")


def _any(entries: Iterable[str]) -> re.Pattern[str]:
    """Whichever of the entries comes; the longest first."""
    return re.compile("|".join(map(_pattern, sorted(entries, key=len, reverse=True))) or r"(?!)")


def _is_phrase(entry: str) -> bool:
    return not _word.fullmatch(entry.rstrip("*").replace("_", " "))


_word = re.compile(r"\w+(?:'\w+)*")
_edges = " .,;:!?'\"()[]*#-"
_entries = {group: _any(listing.split()) for group, listing in _listed.items()}
_phrases = {
    group: re.compile(rf"\b(?:{_any(filter(_is_phrase, listing.split())).pattern})\b") for group, listing in _listed.items()
}


@lru_cache(maxsize=1 << 16)
def _groups(word: str) -> tuple[str, ...]:
    return tuple(group for group, pattern in _entries.items() if pattern.fullmatch(word))


def places(text: str) -> dict[str, list[int]]:
    """Where words and phrases of each group begin in a normalised text, in characters."""
    found = {group: [match.start() for match in pattern.finditer(text)] for group, pattern in _phrases.items()}
    for match in _word.finditer(text):
        for group in _groups(match[0]):
            found[group].append(match.start())
    return found


def category(phrase: str) -> str | None:
    """What a normalised word or phrase speaks for if all of it is on the list, as in `HARMS`."""
    bare = phrase.strip(_edges)
    return next((kind for group, kind in HARMS.items() if _entries[group].fullmatch(bare)), None)
