"""Images among the values of a template."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.errors import TemplateError
from llmops.domain.prompts import IMAGE, Image, Message
from llmops.prompting.template import parse_prompt


def image(name: str) -> Image:
    return Image(name, f"/{name}", "image/png", f"digest of {name}", b"bytes")


def rendered(text: str, **values: object) -> tuple[Message, ...]:
    return parse_prompt(text, file="prompts/p/prompt.j2", shared={}).render(values)


CAT, DOG = image("cat.png"), image("dog.png")


def test_an_image_stands_where_the_template_prints_it() -> None:
    [message] = rendered("user:\nA {{ a }} and\n{{ b }}\nagain {{ a }}.\n", a=CAT, b=DOG)
    assert message.images == (CAT, DOG, CAT)
    assert message.shown == "A [image cat.png] and\n[image dog.png]\nagain [image cat.png]."
    assert [part.get("text", "image") for part in message.to_json()["content"]] == [
        "A ",
        "image",
        " and",
        "image",
        "again ",
        "image",
        ".",
    ]


def test_several_are_looped_over_and_no_empty_text_is_sent_between_them() -> None:
    [message] = rendered("user:\n{% for page in pages %}\n{{ page }}\n{% endfor %}\n", pages=[CAT, DOG])
    assert [part["type"] for part in message.to_json()["content"]] == ["image_url", "image_url"]


def test_an_image_that_is_not_printed_is_not_sent() -> None:
    system, user = rendered("system:\nBe brief.\n\nuser:\n{% if a %}An image.{% endif %}\n", a=CAT)
    assert (system.images, user.images) == ((), ())
    assert user.to_json() == {"role": "user", "content": "An image."}


@given(st.text(), st.text())
def test_texts_around_an_image_cannot_move_it(before: str, after: str) -> None:
    [message] = rendered("user:\n<{{ x }}>{{ a }}<{{ y }}>\n", x=before, a=CAT, y=after)
    assert message.images == (CAT,)
    texts = message.content.split(IMAGE)
    assert texts == [f"<{before.replace(IMAGE, '')}>", f"<{after.replace(IMAGE, '')}>"]


def test_without_an_image_its_character_is_text_as_any_other() -> None:
    [message] = rendered("user:\nA {{ x }}\n", x=IMAGE)
    assert message.to_json() == {"role": "user", "content": f"A {IMAGE}"}


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_only_a_user_shows_images(role: str) -> None:
    with pytest.raises(TemplateError, match=rf"puts the image cat\.png into a `{role}` message"):
        rendered(f"{role}:\n{{{{ a }}}}\n\nuser:\nHi.\n", a=CAT)


@pytest.mark.parametrize("use", ["a|truncate(9)", "a|replace('-', '')", "a[:12]", "a|e|upper ~ a[:8]"])
def test_what_a_filter_has_changed_is_no_image_any_more(use: str) -> None:
    with pytest.raises(TemplateError, match="cuts or changes an image; write it as it is"):
        rendered(f"user:\n{{{{ {use} }}}}\n", a=CAT)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("string", CAT, "`a` is cat.png (image), expected string"),
        ("image", "cat.png", "`a` is 'cat.png' (string), expected image: a file that the case names in `files`"),
    ],
)
def test_a_variable_is_of_its_type(kind: str, value: object, told: str) -> None:
    with pytest.raises(TemplateError) as refused:
        rendered(f"---\nvariables:\n  a: {{type: {kind}}}\n---\nuser:\n{{{{ a }}}}\n", a=value)
    assert told in refused.value.message
