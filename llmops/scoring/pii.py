"""Personal data in a text, by patterns whose checksums and ranges are verified; names are beyond patterns."""

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Literal

from llmops.domain.records import record

PiiKind = Literal["card", "iban", "email", "phone", "ssn", "ip"]
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "CH": 21, "CR": 22,
    "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22,
    "GE": 22, "GI": 23, "GL": 18, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27, "KW": 30, "KZ": 20,
    "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MT": 31, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24,
    "TR": 26, "UA": 29, "VA": 22,
}  # fmt: skip
"""Characters of an IBAN by country (ISO 13616 registry)."""


@record
class Finding:
    """One piece of personal data."""

    start: int
    """First character, 0-based."""
    end: int
    """One past the last character."""
    kind: PiiKind


def luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban_valid(text: str) -> bool:
    """Country, length and the check digits of an IBAN (ISO 13616, ISO 7064 MOD 97-10)."""
    bare = re.sub(r"[ -]", "", text).upper()
    if IBAN_LENGTHS.get(bare[:2]) != len(bare):
        return False
    return int("".join(str(int(character, 36)) for character in bare[4:] + bare[:4])) % 97 == 1


def _card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return 12 <= len(digits) <= 19 and digits[0] in "123456" and len(set(digits)) > 1 and luhn(digits)


def _ssn(text: str) -> bool:
    """Numbers that the Social Security Administration can have issued: no group of zeros, no area 666 or above 899."""
    area, group, serial = text[:3], text[4:6], text[7:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _ip(text: str) -> bool:
    """An address that somebody can have, which a network mask and `a::b` in a program are not."""
    try:
        address = ip_address(text if any(map(str.isdigit, text)) else "")
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_reserved or address.is_multicast)


def _phone(text: str) -> bool:
    """Groups of digits that no date, no large number and no pair of house and postal numbers has."""
    number = re.split(r"\s*(?:x|ext)", text, maxsplit=1, flags=re.IGNORECASE)[0]
    groups = re.findall(r"\d+", number)
    digits = "".join(groups)
    if not 7 <= len(digits) <= 15 or _no_phone.fullmatch(number.strip()) or len(set(groups)) == 1:
        return False
    if number.startswith(("+", "(", "0")):
        return True
    lengths = [len(group) for group in groups]
    return (len(groups) > 2 and set(lengths) != {4}) or lengths in ([3, 4], [2, 6])


def _side_by_side(text: str) -> Iterator[tuple[int, int]]:
    """Places of the numbers of one form that stand beside each other; a row of equal groups is a table."""
    groups = [match.span() for match in re.finditer(r"\d+", text)]
    lengths = [end - start for start, end in groups]
    if len(set(lengths)) == 1 and not text.startswith("0"):
        return
    for size in range(2, len(groups)):
        places = [(groups[at][0], groups[at + size - 1][1]) for at in range(0, len(groups) - size + 1, size)]
        if lengths == lengths[:size] * len(places) and all(_phone(text[start:end]) for start, end in places):
            yield from places
            return


_no_phone = re.compile(
    r"(?:19|20)\d\d[-./ ]\d{1,2}[-./ ]\d{1,2}(?: \d{2})?|\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d\d|"
    r"(?:19|20)\d\d[- ](?:19|20)\d\d|\d{3}-\d{2}-\d{4}|[1-9]\d?(?:(?:\.\d{3}){2,}|(?: \d{3}){3,})|"
    r"[1-9]\d{0,2}(?:[. ]\d{3})*(?: 000)+"
)
_numbered = re.compile(
    r"(?:\b(?:article|appendix|chapter|clause|firmware|paragraph|release|section|v|version)s?|§)[ .:]?\Z",
    re.IGNORECASE,
)
"""What stands before a number of four parts that is no address."""
_email = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b", re.ASCII)
_phone_groups = re.compile(
    r"(?<![\w.,/$€£-])(?:(?<!\d )|(?=[+(])|(?<!\d\d )(?=0))"
    r"(?:1[ .-](?=\d{3}[ .-])|\+\d{1,3}[ .-]?(?:\d[ .-])?|00\d{1,3}[ .-](?:\d[ .-])?)?"
    r"(?:\(\d{1,5}\)[ .-]?\d{2,8}(?:[ .-]\d{2,8}){0,5}|\d{2,5}(?:[ .-]\d{2,8}){1,11})"
    r"(?:\s?(?:x|ext\.?)\s?\d{1,6})?(?![\w/%]|[.,-]\d)",
    re.ASCII,
)
_phone_label = re.compile(
    r"(?<=phone:\s)\d{7,12}|(?<=mobile:\s)\d{7,12}|(?<=desk:\s)\d{7,12}|(?<=fax:\s)\d{7,12}|(?<=tel:\s)\d{7,12}", re.IGNORECASE
)
_dotted = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", re.ASCII)
_PLAIN = (
    dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f\u3000"), " ")
    | dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212"), "-")
    | {wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}
)
"""Spaces and dashes that typographers and models set between digits, and full-width letters; one character each, so that
offsets stay. The patterns take letters of other scripts for no part of a word: in some no space stands before a number."""
_PATTERNS: tuple[tuple[PiiKind, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("email", _email, lambda _: True),
    ("iban", re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]{1,4}){3,8}\b", re.ASCII), iban_valid),
    ("card", re.compile(r"(?<![\w.-])(?<![A-Za-z]{2}\d\d )\d(?:[ -]?\d){11,18}(?![\w-]|\.\d)", re.ASCII), _card),
    ("ssn", re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])", re.ASCII), _ssn),
    ("ip", _dotted, _ip),
    ("ip", re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])", re.ASCII), _ip),
    ("phone", _phone_groups, _phone),
    ("phone", _phone_label, lambda _: True),
    ("phone", re.compile(r"(?<![\w.+/-])(?:\+\d{8,15}|0\d{8,11})(?![\w-]|\.\d)", re.ASCII), lambda text: len(set(text)) > 2),
)


def find_pii(text: str) -> list[Finding]:
    """Personal data in `text`, in order, without overlaps: a number counts as the first kind that its checks confirm."""
    found: list[Finding] = []
    taken = bytearray(len(text))
    for finding in _candidates(text.translate(_PLAIN)):
        if not any(taken[finding.start : finding.end]):
            taken[finding.start : finding.end] = b"\1" * (finding.end - finding.start)
            found.append(finding)
    return sorted(found, key=lambda finding: finding.start)


def _candidates(text: str) -> Iterator[Finding]:
    for kind, pattern, valid in _PATTERNS:
        for match in pattern.finditer(text):
            if pattern is _dotted and _numbered.search(text, max(0, match.start() - 12), match.start()):
                continue
            if valid(match[0]):
                yield Finding(match.start(), match.end(), kind)
            elif pattern is _phone_groups:
                for start, end in _side_by_side(match[0]):
                    yield Finding(match.start() + start, match.start() + end, kind)
