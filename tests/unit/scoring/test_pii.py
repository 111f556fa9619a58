"""Personal data by pattern and checksum: what is found, and what only looks like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.scoring.pii import find_pii, iban_valid, luhn


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("Card 4111 1111 1111 1111 expires", "card", "4111 1111 1111 1111"),
        ("card:5500-0000-0000-0004.", "card", "5500-0000-0000-0004"),
        ("Pay to DE89 3704 0044 0532 0130 00, please", "iban", "DE89 3704 0044 0532 0130 00"),
        ("gb29nwbk60161331926819", "iban", "gb29nwbk60161331926819"),
        ("Mail jo.doe+x@mail.example.org now", "email", "jo.doe+x@mail.example.org"),
        ("SSN 536-22-1234", "ssn", "536-22-1234"),
        ("from 203.0.113.7:443", "ip", "203.0.113.7"),
        ("at the inversion 203.0.113.7", "ip", "203.0.113.7"),
        ("at 2001:db8::8a2e:370:7334", "ip", "2001:db8::8a2e:370:7334"),
        ("Call 415-555-0134 x12 today", "phone", "415-555-0134 x12"),
        ("Tel: +44 20 7946 0958", "phone", "+44 20 7946 0958"),
        ("mobile: 07700900123", "phone", "07700900123"),
        ("(030) 901820", "phone", "(030) 901820"),
        ("Ring +49 30 90182000.", "phone", "+49 30 90182000"),
        ("or +33 1 70 18 99 00", "phone", "+33 1 70 18 99 00"),
        ("Call 415\u2011555\u20110134", "phone", "415\u2011555\u20110134"),
        ("+44\u00a020\u00a07946\u00a00958", "phone", "+44\u00a020\u00a07946\u00a00958"),
        ("4111\u202f1111\u202f1111\u202f1111", "card", "4111\u202f1111\u202f1111\u202f1111"),
        ("邮箱是jo@mail.example.org。", "email", "jo@mail.example.org"),
        ("请致电+86 138 1234 5678吧", "phone", "+86 138 1234 5678"),
        ("電話は０３-１２３４-５６７８です", "phone", "０３-１２３４-５６７８"),
        ("服务器203.0.113.7可用", "ip", "203.0.113.7"),
        ("卡号4111111111111111。", "card", "4111111111111111"),
        ("Call 1 800 555 0134", "phone", "1 800 555 0134"),
    ],
)
def test_personal_data_is_found_with_its_span(text: str, kind: str, found: str) -> None:
    (finding,) = find_pii(text)
    assert (finding.kind, text[finding.start : finding.end]) == (kind, found)


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "DE89 3704 0044 0532 0130 01",
        "000-12-3456 and 666-12-3456",
        "version 1.2.3 of 2024-05-17",
        "10:30:15 on 17.05.2024",
        "999.999.999.999",
        "127.0.0.1 and ::1",
        "the mask 255.255.255.0, the group 224.0.0.1 and ff02::1",
        "1998-2004",
        "1,234,567.89 USD",
        "x = [1, 22, 333]; 12345678",
        "10 000 000 people and 12.345.678 euros, 300 000 000 in all",
        "std::vector<a::b> x = Db::face::bad;",
        "see Section 4.2.1.7, § 4.2.1.7 and version 1.2.3.4 (v1.2.3.4)",
        "user@localhost",
        "id 7f3a-9b2c",
        "the ports 8080 9090 3000 are open",
        "1 234 567 890 EUR",
        "1 1 2 3 5 8 13 21 34 55 89 144",
        "white is 255 255 255",
        "2020 2021 2022 2023 2024 2025",
        "",
    ],
)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert find_pii(text) == []


@pytest.mark.parametrize(
    "numbers",
    [
        ["555-123-4567", "555-987-6543"],
        ["555 123 4567", "555 987 6543", "555 222 3333"],
        ["020 7946 0958", "020 7946 0959"],
        ["06 12 34 56 78", "06 12 34 56 79"],
        ["+44 20 7946 0958", "+44 20 7946 0959"],
    ],
)
def test_phone_numbers_that_stand_side_by_side_are_found_one_by_one(numbers: list[str]) -> None:
    text = f"Call {' '.join(numbers)} today"
    assert [text[each.start : each.end] for each in find_pii(text)] == numbers


@given(st.text(alphabet="0123456789 -.:+()@abcDE", max_size=200))
def test_findings_are_in_order_and_apart(text: str) -> None:
    found = find_pii(text)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
    assert all(0 <= each.start < each.end <= len(text) for each in found)


@given(st.text(alphabet="0123456789", min_size=11, max_size=18))
def test_exactly_one_check_digit_is_right(digits: str) -> None:
    assert sum(luhn(f"{digits}{check}") for check in range(10)) == 1


@given(st.text(alphabet="0123456789", min_size=18, max_size=18), st.integers(4, 21))
def test_one_wrong_digit_breaks_an_iban(account: str, place: int) -> None:
    check = 98 - int(f"{account}131400") % 97
    good = f"DE{check:02}{account}"
    assert iban_valid(good)
    wrong = str((int(good[place]) + 1) % 10)
    assert not iban_valid(good[:place] + wrong + good[place + 1 :])


def test_a_long_text_is_read_to_its_end_in_no_time() -> None:
    assert find_pii("1 " * 200_000) == []
    assert find_pii("1234 " * 100_000) == []
    assert find_pii("a" * 200_000 + "@") == []
    found = find_pii("jo@mail.example.org " * 20_000)
    assert (len(found), found[-1].end) == (20_000, 399_999)
