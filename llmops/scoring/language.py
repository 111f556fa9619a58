"""Which language is a text written in? By script, and for Latin and Cyrillic script by letters and the commonest words."""

import re
import unicodedata
from collections import Counter

MAX_CHARACTERS = 4000
LEAST_WORDS = 3
"""Words in Latin or Cyrillic script below which nothing is said."""
LEAST_COMMON = 2
"""Words that are among a language's commonest, below which it is not told; in longer texts, one word in ten."""
MOST_FOREIGN = 10
"""One word in so many may have a letter that the language does not write."""

_word = re.compile(r"[^\W\d_]+")
_code = re.compile(r"```.*?```|`[^`]*`|https?://\S+", re.DOTALL)
_SCRIPTS = {
    "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CJK": "zh", "ARABIC": "ar", "HEBREW": "he", "GREEK": "el",
    "DEVANAGARI": "hi", "THAI": "th",
}  # fmt: skip
_COMMON = {
    "en": "the of and to in is that it for was on are with as be this by not you or from at have an which can we your will if",
    "de": "der die und das ist nicht ein eine zu mit den auf für von im sie es ich dem auch wird sind oder werden bei kann wie",
    "fr": "le la les de des et est un une dans que qui pour pas sur vous avec il elle au du ce sont par plus être nous je ou",
    "es": "el la los las de y que en un una es por con para no se del al lo como más su está son pero este puede usted o",
    "it": "il lo la gli le di e che in un una è per con non si del della sono come più anche questo può nel alla da ma ho",
    "pt": "o a os as de e que em um uma é por com para não se do da dos como mais na no são este pode você ao seu ou",
    "nl": "de het een en van is dat niet in op te voor met zijn die aan er ook als maar bij wordt naar kan uit dit je of",
    "pl": "i w na z nie się jest do to że jak o za od po ale dla przez są który może co tym lub także czy być tego",
    "sv": "och i att det som en på är av för med till den inte om ett har kan från eller du jag de men vi så var",
    "da": "og i at det som en på er af for med til den ikke om et har kan fra eller du jeg de men vi så var der",
    "ru": "и в не на я что он с как это по но они к у из за то от так для вы или его мы был если можно",
    "bg": "и на да се в от за не е са с по като че това ще си до или го със при която които може има във ги я най беше",
    "uk": "і в не на я що він з як це по але вони до у із за то від так для ви або його ми був якщо можна та",
}  # fmt: skip
_LETTERS = {
    "en": "", "de": "äöüß", "fr": "àâæçéèêëîïôœùûüÿ", "es": "áéíñóúüºª", "it": "àèéìíîòóùú", "pt": "áàâãçéêíóôõúü",
    "nl": "áéèëïíóöüú", "pl": "ąćęłńóśźż", "sv": "åäöé", "da": "æøåé", "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "bg": "абвгдежзийклмнопрстуфхцчшщъьюя", "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя'",
    "ar": "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيًٌٍَُِّْٰٱـ",
}  # fmt: skip
"""What a language writes beside a to z."""
_WORDS = {language: frozenset(words.split()) for language, words in _COMMON.items()}


def language_of(text: str) -> str | None:
    """ISO 639-1 code; None when the text is too short or none stands out. Code, links and numbers are not read."""
    read = unicodedata.normalize("NFC", without_code(text[:MAX_CHARACTERS]))
    words = [word.lower() for word in _word.findall(read)]
    if not words:
        return None
    scripts = Counter(_script(letter) for word in words for letter in word)
    script = scripts.most_common(1)[0][0]
    if script == "zh" and scripts["ja"]:
        return "ja"
    if script is not None:
        return script if script not in _LETTERS or _writes(script, words) else None
    if len(words) < LEAST_WORDS:
        return None
    counts = sorted(((sum(word in common for word in words), code) for code, common in _WORDS.items()), reverse=True)
    (best, code), (second, _) = counts[:2]
    told = best > second and best >= max(LEAST_COMMON, len(words) // 10)
    return code if told and _writes(code, words) else None


def without_code(text: str) -> str:
    """A text without its code and its links."""
    return _code.sub(" ", text)


def _writes(code: str, words: list[str]) -> bool:
    """Are the words of letters that the language has, but for a few?"""
    own = {*"abcdefghijklmnopqrstuvwxyz", *_LETTERS[code]}
    return sum(not own.issuperset(word) for word in words) * MOST_FOREIGN <= len(words)


def _script(letter: str) -> str | None:
    return _SCRIPTS.get(unicodedata.name(letter, "").split(" ")[0].split("-")[0])
