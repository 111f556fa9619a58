"""What is read by every rendering is found, and nothing that one rendering can do without."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.errors import LlmopsError
from llmops.prompting.needs import always_read, in_single_braces
from llmops.prompting.template import PromptVersion, parse_prompt

NAMES = ("a", "b", "c")


def parse(text: str) -> PromptVersion:
    return parse_prompt(text, file="prompts/p/prompt.j2", shared={})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("user:\n{{ a }}\n{{ b | upper }} {{ c.d[0] }} {{ e.strip() }}", {"a": 2, "b": 3, "c": 3, "e": 3}),
        ("user:\n{% for x in a %}{{ x }}{{ b }}{% endfor %}{% if c %}{{ d }}{% endif %}", {"a": 2, "c": 2}),
        ("user:\n{{ a if b else c }}{{ d or e }}{{ f + g }}{{ h ~ i }}", dict.fromkeys("bdfghi", 2)),
        ("user:\n{{ a | default('x') }}{% if b is defined %}{{ b }}{% endif %}{% set c = d %}{{ c }}", {}),
        ("user:\n{% for hit in contexts %}{{ hit.text }}{% endfor %}hi", {}),
        ("---\nvariables: {a: {default: x}}\n---\nuser:\n{{ a }}{{ b }}", {"b": 5}),
        ("{% set a = 1 %}\nsystem:\n{{ a }}\nuser:\n{{ b }}", {"b": 5}),
    ],
)
def test_names_that_every_rendering_reads(text: str, names: dict[str, int]) -> None:
    assert always_read(parse(text)) == names


READS = st.sampled_from([
    "{{ a }}", "{{ b | upper }}", "{{ c | default('x') }}", "{{ a.strip() }}", "{{ a or b }}", "{{ b if c else a }}",
    "{{ (a ~ b) | trim }}", "{{ a == b }}", "{{ not c }}", "{{ b is defined }}", "{{ a | d(b) }}", "{{ [c] | length }}",
    "{% set c = a %}", "{{ c.upper() }}", "text",
])  # fmt: skip
BLOCKS = st.recursive(
    READS,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["a", "not b", "c is defined", "a and c"]), inner).map(
            lambda pair: f"{{% if {pair[0]} %}}{pair[1]}{{% endif %}}"
        ),
        st.tuples(st.sampled_from([*NAMES, "[]"]), inner).map(
            lambda pair: f"{{% for x in {pair[0]} %}}{pair[1]}{{% endfor %}}"
        ),
        st.lists(inner, max_size=4).map("".join),
    ),
)


@given(BLOCKS)
def test_no_rendering_succeeds_without_a_name_that_is_always_read(body: str) -> None:
    version = parse(f"user:\nhi {body}")
    for name in always_read(version):
        with pytest.raises(LlmopsError, match=f"`{name}` is undefined"):
            version.render({other: "x" for other in NAMES if other != name})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("user:\n{question}\n${ word }", {"question": 2, "word": 3}),
        ("system:\nhi\nuser:\n\nSay {word}.", {"word": 5}),
        ("user:\n{{ question }} as {question}", {}),
        ("user:\n{{question}} {{ '{word}' }} {# {word} #}", {}),
        ('user:\n{"a": 1} {} \\frac{word}{word} {{ 1 }}{ word}}', {}),
    ],
)
def test_names_in_single_braces(text: str, names: dict[str, int]) -> None:
    assert in_single_braces(parse(text)) == names
