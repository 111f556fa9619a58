"""Undoes the ways in which words are disguised: look-alike and invisible characters, digits for letters, spaced letters."""

import re
import unicodedata

_invisible = re.compile(r"[\u00ad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_lookalikes = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u03b1\u03bf\u03b9\u03bd\u0261\u0131", "aeopcyxijsaoivgi"
)
_leet = str.maketrans("013457@$!", "oieastasi")
_leet_word = re.compile(r"(?<![\w@$!])(?=[\w@$!]*[a-z])(?=[\w@$!]*[0134578@$])[\w@$!]*[\w@$]")
_spaced = re.compile(r"(?<!\w)(?:[a-z][ ._*-]){2,}[a-z](?!\w)")
_stretched = re.compile(r"([a-z])\1{2,}")
_masked = re.compile(r"(?<![\w*#])(?=[a-z]+[*#]+[a-z*#])[a-z*#]{3,20}(?![\w*#])")
_maskable = """
    fuck fucking fucked fucker fuckers fucks fuckin motherfucker motherfuckers shit shits shitty bullshit shithole bitch
    bitches ass asses asshole assholes cunt cunts dick dicks dickhead pussy pussies cock cocks nigger niggers nigga niggas
    faggot faggots fag fags retard retards retarded whore whores slut sluts bastard bastards damn goddamn hell crap piss
    pissed prick tits twat kike kikes spic spics chink chinks tranny trannies dyke dykes rape raped kill suicide sex porn cum
    hate idiot stupid
"""


def _unmasked(match: re.Match[str]) -> str:
    """The first known word that fits a word in which letters were starred out, else the word as it stands."""
    pattern = re.compile(re.sub(r"[*#]+", lambda stars: f"[a-z]{{1,{len(stars[0]) + 1}}}", match[0]))
    return next((word for word in _maskable.split() if pattern.fullmatch(word)), match[0])


def normalised(text: str) -> str:
    """`text` in lower case with disguises undone; its meaning is for a classifier, not for a reader."""
    plain = unicodedata.normalize("NFKC", _invisible.sub("", text)).lower().translate(_lookalikes)
    plain = "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.combining(c))
    plain = _leet_word.sub(lambda match: match[0].translate(_leet), plain)
    plain = _spaced.sub(lambda match: re.sub(r"[ ._*-]", "", match[0]), plain)
    plain = _masked.sub(_unmasked, plain)
    return _stretched.sub(r"\1\1", plain)
