"""Does an English answer decline, instead of answering? Rules on clauses, no model.

An answer declines when its first clause of substance says that the answer is not known, not in the passages, or will
not be given, and nothing after it answers all the same. Text in double quotes or backticks is somebody else's words.
"""

import re
from functools import cache
from typing import Literal

from llmops.scoring.matching import folded

MAX_CHARACTERS = 4000
"""Read of an answer: who declines does so early."""
MAX_CLAUSE = 400

_EVIDENCE = (
    r"(?:(?:any|none|all|some|each|either) of )?(?:(?:the|these|those|this|that|my|your|any|provided|given|retrieved|supplied|"
    r"available|above|numbered|quoted|current|search|knowledge|reference|relevant|excerpted|source) ){1,4}"
    r"(?:manual|contexts?|passages?|documents?|documentation|docs|texts?|sources?|materials?|excerpts?|articles?|results?|"
    r"base|snippets?|information|content|data|records?|files?|pages?|knowledge)"
    r"(?: (?:above|below|provided|given|i have|i was given|you (?:gave|provided|shared|sent)(?: me)?|of the manual))?"
)
_TOLD = (
    r"(?:say|mention|contain|include|state|specify|provide|cover|describe|answer|address|give|discuss|explain|tell|hold|"
    r"have|list|indicate|reveal|document|define|offer|talk about|speak of|show|refer to)"
)
_BEEN_TOLD = (
    r"(?:mentioned|stated|specified|given|found|provided|covered|described|included|contained|answered|addressed|discussed|"
    r"documented|available|present|explained|listed|indicated|defined|part of)"
)
_ADVERB = (
    r"(?:(?:really|honestly|simply|just|currently|actually|directly|explicitly|clearly|anywhere|even|specifically|yet|"
    r"at all|to be) ){0,2}"
)
_NOT = r"(?: not| never)"
_INFORMATION = (
    r"(?:information|mention|answer|indication|details?|data|reference|evidence|documentation|passages?|content|context|"
    r"instructions?)"
)
_IDEA = rf"(?:{_INFORMATION}|knowledge|access|idea|way|record|clue)"
_ME = r"(?:i|we|this assistant|the assistant)"
_TO_KNOW = (
    r"(?:know|answer|find|tell|say|determine|locate|see|confirm|verify|identify|infer|conclude|work out|be sure|be certain)"
)
_TO_DO = (
    r"(?:help|assist|comply|do that|do this|fulfil+|support|discuss|engage|share|create|generate|write|respond|continue|"
    r"participate|take part|provide|produce|give|offer|advise|speculate|guess|recommend|fulfil+ that|process)"
)

_NOT_KNOWN = "|".join(
    (
        r"\b(?:answers?|information|question|details?)\b[^.]{0,120}?"
        rf"\b(?:is|are|was|were|can|could){_NOT} {_ADVERB}(?:be )?"
        rf"(?:{_BEEN_TOLD}\b|in\b|inferred|determined|from\b|among\b|known\b|there\b|enough\b|sufficient\b)",
        rf"\b(?:is|are|was|were|does|do){_NOT} {_ADVERB}(?:{_BEEN_TOLD} |appear )?{_ADVERB}"
        rf"(?:in|within|by|from|among) {_EVIDENCE}\b",
        rf"\b{_EVIDENCE} (?:\w+ )?(?:does|do|did|has|have|can){_NOT} {_ADVERB}(?:been )?{_TOLD}\b",
        rf"\b{_EVIDENCE} {_ADVERB}(?:say|contain|mention|hold|give|provide|include|offer|have|has|had|make|made)s? "
        rf"(?:nothing|no (?:\w+ )?{_INFORMATION})\b",
        rf"\b{_EVIDENCE} (?:is|are|was|were) not (?:enough|sufficient|relevant|helpful)\b",
        rf"\b{_EVIDENCE} (?:is|are|was|were) (?:insufficient|silent|unrelated|irrelevant)\b",
        rf"\b(?:they|it|none|nothing|neither) (?:do|does|did){_NOT} {_ADVERB}(?:say|mention|state|specify)\b",
        rf"\b(?:nothing|none|no (?:passage|document|source|context|section|page)s?)\b[^.]{{0,30}} (?:in|of) {_EVIDENCE}\b",
        rf"\b(?:none|no (?:passage|document|source|section|page)s?)(?: of {_EVIDENCE})? {_ADVERB}{_TOLD}(?:s|es)?\b",
        rf"\bno (?:relevant |such |specific |further )?{_INFORMATION} (?:\w+ ){{0,5}}?"
        rf"(?:was|were|is|are|could be|can be|has been)? ?(?:{_BEEN_TOLD})\b",
        rf"\bthere(?:'s| is| are| was| were) (?:no|not enough|not any|nothing|insufficient)(?: \w+)? ?{_INFORMATION}"
        r"(?= (?:in|on|about|of|for|as to|regarding|concerning|available|provided|given|here|that|"
        r"to answer|whether|how|what)\b|[ ,.:]*$)",
        rf"\bthere(?:'s| is| was) nothing (?:\w+ ){{0,2}}(?:in {_EVIDENCE}|about|on|regarding)\b",
        r"\b(?:not enough|insufficient|no sufficient) (?:information|context|data|detail|evidence)\b",
        rf"\b{_ME} (?:do|did|can|could|would|am|are|was|were){_NOT} {_ADVERB}"
        rf"(?:able to |in a position to )?{_ADVERB}{_TO_KNOW}\b",
        rf"\b(?:{_ME} (?:am|was|are|were)|i'm|we're|being)(?: currently| still)? "
        rf"(?:unable|not able) to {_ADVERB}{_TO_KNOW}\b",
        rf"\b{_ME} (?:do|did){_NOT} {_ADVERB}have (?:\w+ ){{0,2}}?{_IDEA}\b",
        rf"\b{_ME} (?:have|had|can find|could find|found|see) no (?:\w+ )?{_IDEA}\b",
        rf"\b{_ME} lack (?:\w+ ){{0,2}}{_INFORMATION}\b",
        rf"\b{_ME} (?:do not have|have no|am not capable of having) (?:(?:any|my|own|personal|real|human) ){{0,3}}"
        r"(?:opinions?|feelings?|beliefs?|preferences?|emotions?|experiences?)\b",
        rf"\b{_ME} (?:can|may) only (?:answer (?:\w+ ){{0,2}}questions|(?:help|assist)(?: you)? with|discuss|talk about)\b",
        r"\b(?:it|that|this|which) is (?:not possible|impossible) to (?:answer|say|tell|determine|know)\b"
        r"(?! (?:more|two|several))",
        rf"(?:\b(?:is|are|was|were)|'s) (?:unclear|not clear) (?:from|in) {_EVIDENCE}\b",
        rf"\b(?:that|this|it) is not something (?:that )?(?:i know|{_EVIDENCE} {_TOLD})",
        r"\b(?:i'm|i am) not (?:\w+ )?(?:sure|certain)\b",
        r"^no mention of\b",
        r"\b(?:it|this|that|the question|this question) (?:can|could) not be (?:answered|determined|inferred|found|known)"
        r"(?= (?:from|based|with|using|by|given|here)\b|[ .!]*$)",
        r"\b(?:beyond|outside)(?: of)? (?:my|the) (?:knowledge|scope|context|passages|information|manual)\b",
        r"^(?:unable|not able|impossible) to (?:answer|find|determine|tell|say)\b",
        r"^(?:can|could) not (?:answer|find|determine|tell|say|be (?:answered|determined))\b",
        r"^(?:no (?:answer|idea|clue|relevant passages?|information|results?)(?: (?:found|available|given))?|do not know|"
        r"dunno|unknown|unanswerable|n/a|not (?:known|sure|answerable|found|mentioned|specified|stated|available|given|"
        r"provided|covered|documented)(?: in the \w+)?|not in the \w+|idk)[.! ]*$",
    )
)
_WILL_NOT = "|".join(
    (
        r"\b(?:i|this assistant|the assistant) "
        r"(?:can|could|will|may|must|do(?! not (?:recommend|advise))|am|would(?= not be)) not "
        rf"{_ADVERB}(?:be )?(?:able to |going to |willing to |permitted to |allowed to )?{_ADVERB}{_TO_DO}\b",
        r"\bi (?:do|would) not feel comfortable\b",
        rf"\b(?:i am|i'm) (?:just|only|merely) an? (?:ai|assistant|bot|(?:large )?language model)\b[^.]{{0,40}} "
        rf"(?:can|could|may|must|do) not {_ADVERB}{_TO_DO}\b",
        r"\b(?:i can not|i am (?:unable|not able) to|i'm (?:unable|not able) to) (?:directly )?"
        r"(?:browse|access|open|visit|view|look up|retrieve|search) (?:\w+ ){0,3}"
        r"(?:internet|web|websites?|links?|urls?|real[ -]time|live|external|files?|images?|attachments?|accounts?)\b",
        rf"\bi (?:will|can) not {_ADVERB}(?:be able to )?{_ADVERB}(?:{_TO_DO}|answer)\b",
        r"\b(?:i am|i'm)(?: \w+)? (?:unable|not (?:able|allowed|permitted|going|willing|comfortable|programmed|designed)) "
        rf"(?:to )?{_ADVERB}(?:{_TO_DO}|answer|{_TO_DO}ing|providing|helping|writing|discussing|answering)\b",
        r"\b(?:we|i) (?:can not|are unable to|are not able to) (?:help|assist|comply|process (?:this|that|your))\b",
        r"\b(?:i|we) (?:must|have to|need to|will have to|'ll have to)? ?(?:respectfully )?(?:decline|refuse)\b",
        r"\bi(?:'d| would) (?:rather|prefer) not\b",
        r"\b(?:is|are) not something (?:that )?i(?:'m| am| can| will)\b",
        r"\b(?:against|violates?) (?:my|our|the) (?:guidelines|policy|policies|principles|programming)\b",
        r"^(?:can not|unable to|will not) (?:help|assist|comply|provide)\b",
    )
)
_reported = re.compile(
    r"\b(?:says?|said|means?|answers|replies|reports?|prints?|returns?|writes|shows|when|whenever|if|unless|because|until|once|exactly)\b"
)
_polite = re.compile(
    r"^(?:(?:i'm|i am|we're|we are) (?:\w+ )?(?:sorry|afraid)|sorry|(?:my )?apologies|i apologi[sz]e|unfortunately|regrettably|"
    r"thank(?:s| you)|hello|hi|hey|great question|good question|"
    r"hmm+|answers?|no|well|ok|okay|sure|i see|i understand|as an ai|you asked)\b"
)
_offer = re.compile(
    r"^(?:and |so |or |instead,? |for (?:more|further) \w+,? |to (?:find out|learn more|get help),? )*"
    r"(?:please|you (?:can|could|may|might|should|will|would|'ll)|"
    r"you'll|feel free|let me know|if (?:you|there|it|this)|try|consider|contact|would you|could you|can you|may i|is there|"
    r"i (?:can|could|would|must|recommend|suggest|hope|am happy|only)|i'm happy|i'd|perhaps you|check|ask|see|refer)\b"
)
_about_evidence = re.compile(
    r"^(?:(?:the|these|those|this|all|both|each|none|some|of|first|second|third|fourth|fifth|last|other|others|remaining|"
    r"provided|given|retrieved) ){0,4}(?:neither|manual|contexts?|passages?|documents?|documentation|texts?|sources?|excerpts?|"
    r"they|others|question asks)\b"
)
_sentence_ends = re.compile(r"(?<=[.!?])\s+")
_breaks = re.compile(
    r"\s*[;:]\s+|,?\s+(?=(?:but|however|although|though|whereas|yet|while)\b)|"
    r",\s+(?=(?:i'm|i am) (?:sorry|afraid))"
)
_joins = re.compile(r"^(?:but|however|although|though|whereas|yet|while|and|so|therefore|still|nevertheless|that said)\b,?\s*")
_contrast = re.compile(
    r"^(?:however|but|nevertheless|nonetheless|still|that said|even so|based on|generally|in general|typically|usually)\b"
)
_quoted = re.compile(r'"[^"]{0,500}"|`[^`]{0,500}`')
_contractions = (
    (re.compile(r"\b(?:can't|cannot)"), "can not"),
    (re.compile(r"\bwon't"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'s not\b"), " is not"),
)
_marks = re.compile(r"\[[0-9]{1,3}(?:\s*[,-]\s*[0-9]{1,3})*\]|[*#>]+|(?<!\w)_+|_+(?!\w)")

_Clause = Literal["not known", "will not", "about passages", "filler", "answer"]


def refuses(answer: str) -> bool:
    """Does the answer decline? An answer that declines a part and answers another does not."""
    text = folded(_marks.sub(" ", answer[:MAX_CHARACTERS]), ignore_case=True)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"`'":
        text = text[1:-1]
    for contraction, words in _contractions:
        text = contraction.sub(words, text)
    declined: _Clause | None = None
    for sentence in _sentence_ends.split(_quoted.sub(" quoted ", text)):
        for clause in _breaks.split(sentence):
            kind = _clause(clause[:MAX_CLAUSE])
            if kind == "about passages" and declined is not None:
                break  # what the passages hold instead, to the end of the sentence
            if kind in ("not known", "will not"):
                declined = declined or kind
            elif kind != "filler" and (declined != "will not" or _contrast.match(clause)):
                return False
    return declined is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """The long patterns take some 30 ms to compile, which start-up need not pay for."""
    return re.compile(pattern)


def _clause(clause: str) -> _Clause:
    bare = _joins.sub("", clause.strip())
    if not any(character.isalnum() for character in bare):
        return "filler"
    for kind, pattern in (("will not", _compiled(_WILL_NOT)), ("not known", _compiled(_NOT_KNOWN))):
        found = pattern.search(bare)
        if found and not _reported.search(bare, 0, found.start()):
            return "will not" if kind == "will not" else "not known"
    polite = _polite.match(bare)
    if polite and len(bare.split()) <= 9:
        return "filler"
    if _about_evidence.match(bare):
        return "about passages"
    return "filler" if _offer.match(bare) else "answer"
