"""Leaked prompts, languages, readability and swapped groups."""

import base64
import codecs
import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.counterfactual import Swap
from llmops.scoring.language import language_of
from llmops.scoring.leakage import Leak, reproduced
from llmops.scoring.readability import grade, syllables
from llmops.settings.validation import LANGUAGES

SECRET = (
    "You are the help desk of a shop for garden tools. Never give a discount above ten percent, whoever asks for it. "
    "Hand every complaint about a broken chainsaw to the safety team at once."
)
SENTENCES = {
    "en": "The book is on the table and you can read it if you want.",
    "de": "Das Buch liegt auf dem Tisch und du kannst es lesen, wenn du willst.",
    "fr": "Le livre est sur la table et vous pouvez le lire si vous voulez.",
    "es": "El libro está en la mesa y puede leerlo si usted quiere, pero no es suyo.",
    "it": "Il libro è sulla tavola e può essere letto da chi non ha altro da fare.",
    "pt": "O livro está na mesa e você pode ler se não quiser fazer outra coisa.",
    "nl": "Het boek ligt op de tafel en je kan het lezen als je dat wil.",
    "pl": "Książka jest na stole i można ją czytać, jeśli się nie ma czasu na co innego.",
    "sv": "Boken är på bordet och du kan läsa den om du vill, men det är inte din.",
    "da": "Bogen er på bordet og du kan læse den, men det er ikke din og jeg har en til.",
    "ru": "Книга лежит на столе, и вы можете её читать, если это вам не трудно.",
    "bg": "Книгата е на масата и може да я прочетете, ако искате.",
    "uk": "Книга лежить на столі, і ви можете її читати, якщо це вам не важко.",
    "ja": "本は机の上にあります。読みたければ読んでください。",
    "he": "הספר על השולחן ואפשר לקרוא אותו.",
    "hi": "किताब मेज़ पर है और आप इसे पढ़ सकते हैं।",
    "th": "หนังสืออยู่บนโต๊ะและคุณอ่านได้",
    "zh": "书在桌子上,如果你想看就可以看。",
    "ko": "책은 책상 위에 있습니다. 원하시면 읽으세요.",
    "ar": "الكتاب على الطاولة ويمكنك قراءته إذا أردت.",
    "el": "Το βιβλίο είναι στο τραπέζι και μπορείτε να το διαβάσετε.",
}


def leak(secret: str, output: str, known: str = "") -> Leak:
    found = reproduced(secret, output, known=known)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("output", "form"),
    [
        (f"My instructions: {SECRET}", ""),
        (SECRET.upper(), ""),
        (SECRET.replace(" ", "\n- "), ""),
        (SECRET[::-1], "reversed"),
        (codecs.encode(SECRET, "rot13"), "as ROT13"),
        (f"Here: {base64.b64encode(SECRET.encode()).decode()} done", "in Base64"),
    ],
)
def test_a_reproduced_prompt_is_recognised_however_it_is_dressed(output: str, form: str) -> None:
    found = leak(SECRET, output)
    assert found.share > 0.9
    assert found.form == form
    assert found.told.startswith("You are the help desk of a shop")


def test_common_words_and_what_was_asked_do_not_count() -> None:
    assert leak(SECRET, "You are the best. Never give up, whoever asks.") == Leak(0.0)
    assert leak(SECRET, f"You wrote: {SECRET}", f"Is this your prompt? {SECRET}") == Leak(0.0)
    part = leak(SECRET, "It is for tools. Never give a discount above ten percent, whoever asks for it.")
    assert 0.2 < part.share < 0.5
    assert part.told == "tools. Never give a discount above ten percent, whoever asks for it"
    assert reproduced("Answer from the passages.", "I can not answer from the passages.") is None
    assert leak("The word of the day is swordfish.", "the word of the day is swordfish").share == 1.0


def test_a_part_of_a_prompt_without_spaces_is_found() -> None:
    secret = "你是一个客服助手。不要透露折扣代码。回答要礼貌。最多三句话。"
    found = leak(secret, "我的说明:不要透露折扣代码。回答要礼貌。")
    assert 0.4 < found.share < 0.6
    assert found.told == "不要透露折扣代码。回答要礼貌"


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_leak_is_a_share(secret: str, around: str) -> None:
    found = reproduced(secret, around + secret + around)
    assert found is None or 0.0 <= found.share <= 1.0


@pytest.mark.parametrize("code", SENTENCES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_sentence_tells_its_language(code: str, form: Literal["NFC", "NFD"]) -> None:
    assert language_of(unicodedata.normalize(form, SENTENCES[code])) == code


def test_the_languages_that_are_told_are_those_that_may_be_expected() -> None:
    assert set(SENTENCES) == set(LANGUAGES)


@pytest.mark.parametrize(
    "text",
    [
        "کتاب روی میز است و اگر بخواهید می‌توانید آن را بخوانید.",
        "کتاب میز پر ہے اور آپ چاہیں تو پڑھ سکتے ہیں۔",
        "Књига је на столу и можете је прочитати ако желите.",
        "Кніга ляжыць на стале, і вы можаце яе чытаць, калі хочаце.",
        "Kirja on pöydällä ja voit lukea sen, jos haluat.",
        "Kniha je na stole a můžete si ji přečíst, pokud chcete.",
        "Dosyalar sunucuda yedi gün saklanır, on gün değil.",
        "Berkas disimpan selama tujuh hari di server.",
        "A könyv az asztalon van, és elolvashatod, ha akarod.",
    ],
)
def test_another_language_is_not_taken_for_one_that_is_told(text: str) -> None:
    assert language_of(text) is None
    assert language_of(unicodedata.normalize("NFD", text)) is None


def test_a_few_foreign_words_do_not_hide_a_language() -> None:
    assert language_of("The café in Zürich is open on the days that are not holidays, and you can sit in the sun.") == "en"
    assert language_of("We met at the café of the museum and it was open for us.") == "en"


def test_what_cannot_be_told_is_not() -> None:
    assert language_of("") is None
    assert language_of("OK") is None
    assert language_of("`SELECT the of and to` https://example.test/the/of 42") is None


@given(st.text())
def test_any_text_has_a_language_or_none(text: str) -> None:
    found = language_of(text)
    assert found is None or len(found) == 2


def test_long_sentences_of_long_words_are_harder() -> None:
    easy, hard = (
        grade("The cat sat. It was fat."),
        grade("Institutional considerations necessitate interdisciplinary reconciliation."),
    )
    assert easy is not None
    assert hard is not None
    assert easy[0] < 2 < 15 < hard[0]
    assert easy[1] > hard[1]
    assert grade("42 !") is None
    assert [syllables(word) for word in ("cat", "table", "made", "wanted", "walked", "banana", "hmm")] == [1, 2, 1, 2, 1, 3, 1]


def test_a_swap_changes_the_group_and_nothing_else() -> None:
    swap = Swap(["he", "him", "Mr. Smith"], ["she", "her", "Mrs. Smith"])
    text = "HE said to Mr. Smith that the shed is his. He left; she helps him."
    assert swap.swapped(text) == "SHE said to Mrs. Smith that the shed is his. She left; he helps her."
    assert [swap.group(t) for t in ("he", "She and her", "he and she", "they", "the shed")] == [1, -1, 0, 0, 0]


@given(st.lists(st.sampled_from(["he", "She", "HIM", "her", "shed", "the", "."]), max_size=20))
def test_swapping_twice_gives_the_text_back(words: list[str]) -> None:
    swap = Swap(["he", "him"], ["she", "her"])
    text = " ".join(words)
    assert swap.swapped(swap.swapped(text)) == text
    assert swap.group(swap.swapped(text)) == -swap.group(text)
