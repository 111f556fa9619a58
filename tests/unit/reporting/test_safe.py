"""Nothing that a stranger wrote can drive the terminal, hide itself or leak a credential."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.reporting.safe import markdown_text, one_line, safe, unbroken

JOINERS = "\u200c\u200d"


@given(st.text() | st.text(st.sampled_from(f"aب👩\u0301\ufe0f (#\n\xad\u200b\u202e\U000e0041{JOINERS}")))
def test_no_control_or_invisible_character_is_left(text: str) -> None:
    shown = safe(text)
    assert all(c in f"\n\t{JOINERS}" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") for c in shown)
    for at, c in enumerate(shown):
        if c in JOINERS:
            assert 0 < at < len(shown) - 1
            assert {unicodedata.category(beside)[0] for beside in (shown[at - 1], shown[at + 1])} <= set("LMNS")
    assert safe(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "👩\u200d👩\u200d👧",
        "👩🏽\u200d🚀",
        "❤\ufe0f\u200d🔥",
        "🙂\u200d↔\ufe0f",
        "newer than our tables: \U0001faff \U000323b0",
    ],
)
def test_scripts_and_emoji_that_need_joiners_keep_them(text: str) -> None:
    assert safe(text) == text


def test_a_soft_hyphen_is_left_out_and_can_hide_nothing() -> None:
    assert safe("hyphen\xadation") == "hyphenation"
    assert safe("##v\xadso[task.x]y") == "# #vso[task.x]y"
    assert "sk-" not in safe("sk-abcdefghij\xadklmnopqrst")


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u2060", "\ufeff", "\u202e", "\u2066", "\u2065", "\ufffe", "\U000e0001", "\U000e0fff"]
)
def test_what_cannot_be_seen_is_replaced(hidden: str) -> None:
    assert safe(f"a{hidden}b") == "a\ufffdb"


@pytest.mark.parametrize("text", ["\u200da", "a\u200c", "a\u200d\u200cb", "a \u200db", "#\u200d#"])
def test_a_joiner_that_joins_nothing_is_replaced(text: str) -> None:
    assert not set(JOINERS) & set(safe(text))


@pytest.mark.parametrize(
    "escape",
    ["\x1b[31m", "\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x1b[2J", "\x9b2J", "\x1bP1$r\x1b\\", "\x1b]52;c;aGk=\x07"],
)
def test_terminal_escapes_disappear_whole(escape: str) -> None:
    assert safe(f"a{escape}b") == "ab"


def test_what_hides_or_reorders_text_is_made_visible() -> None:
    assert safe("a\u202eb\u200bc\ud800") == "a\ufffdb\ufffdc\ufffd"


@pytest.mark.parametrize("command", ["##vso[task.x]y", "##[error]y", "##teamcity[x]", "###[error]y"])
def test_what_a_code_host_runs_anywhere_in_a_line_is_broken_up(command: str) -> None:
    assert command[:2] + command[2:].lstrip("#") not in safe(f"so: {command}")
    assert "# #" in safe(command)
    assert safe("## A heading [1]") == "## A heading [1]"


@given(st.text())
def test_an_id_is_shown_whole_in_one_line(text: str) -> None:
    assert len(unbroken(text).splitlines()) <= 1


def test_credentials_are_masked() -> None:
    assert "sk-" not in safe("the key sk-abcdefghijklmnopqrst leaked")


@given(st.text(), st.integers(min_value=1, max_value=80))
def test_one_line_is_one_line_and_fits(text: str, width: int) -> None:
    shown = one_line(text, width)
    assert len(shown) <= width
    assert len(shown.splitlines()) <= 1


def test_a_line_that_is_cut_shows_no_part_of_a_key() -> None:
    for width in range(1, 60):
        text = f"{' ' * (width * 8 + 980)}key sk-{'a1' * 20} end"
        assert "sk-" not in one_line(text, width)
        assert "sk-" not in one_line(text.strip(), width)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://evil.example/x", "http:\u2060//evil.example/x"),
        ("see HTTPS://github.com/o/r/issues/1", "see HTTPS:\u2060//github.com/o/r/issues/1"),
        ("www.evil.example, WWW.evil.example", "www\u2060.evil.example, WWW\u2060.evil.example"),
        ("a@b.example GH-12 #3", "a@\u2060b.example GH\u2060-12 \\#\u20603"),
        ("owner/repo#45, # 6, #x", "owner/repo\\#\u206045, \\# 6, \\#x"),
        ("a: b // c, docs/www/x, GH-x", "a: b // c, docs/www/x, GH-x"),
    ],
)
def test_no_address_in_markdown_becomes_a_link(text: str, shown: str) -> None:
    assert markdown_text(text) == shown


def test_lines_of_another_system_end_as_ours() -> None:
    assert safe("one\r\ntwo\rthree") == "one\ntwo\N{REPLACEMENT CHARACTER}three"
