"""Keeps credentials out of everything that is shown or logged."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

MIN_LENGTH = 6
"""Shorter values are no secrets, and masking them would eat ordinary words."""

MASK = "***"

MIN_WITHHELD = 12
"""Shorter values, and single words, may be the password of a test database: an answer would be another without them."""

WITHHELD = "*** (a configured credential)"
"""Stands in a stored text where a credential was; no answer is likely to hold it by itself."""

_names = re.compile(r"((API|ACCESS|SECRET)_?KEY|TOKEN|SECRET|PASSWORD|AUTH_CREDENTIALS)$", re.IGNORECASE)
_declared: set[str] = set()
_url_password = re.compile(
    r"(?<=://)([^/\s:@]{1,200}):(?!(?:<[^>\s]*>|\$?\{[^}\s]*\}|\$\w+|\*+|x{3,}|pass(?:word|wd)?|pwd)@)[^/\s@]{1,200}(?=@)",
    re.IGNORECASE,
)
"""Not what stands in its place in manuals, such as `<password>`, `${PASSWORD}` and `password`."""
_option_password = re.compile(r"(?:(?<=[?&]password=)|(?<=[?&]sslpassword=))[^&\s'\"]{1,200}")
_SHAPES = {
    r"sk-": r"[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic and others
    r"(?:sk|rk)_(?:live|test)_|whsec_": r"[A-Za-z0-9]{16,}",  # Stripe
    r"gh[pousr]_": r"[A-Za-z0-9]{20,}",
    r"github_pat_": r"[A-Za-z0-9_]{20,}",
    r"glpat-": r"[A-Za-z0-9_-]{20,}",
    r"A(?:KI|SI)A": r"[0-9A-Z]{16}",
    r"xox[abeprs]-|xapp-": r"[A-Za-z0-9-]{10,}",
    r"https://hooks\.slack\.com/services/": r"[A-Za-z0-9/]{20,}",
    r"AIza": r"[A-Za-z0-9_-]{30,}",
    r"ya29\.": r"[A-Za-z0-9_-]{20,}",
    r"hf_|r8_": r"[A-Za-z0-9]{30,}",  # Hugging Face, Replicate
    r"gsk_|pplx-|xai-": r"[A-Za-z0-9]{40,}",  # Groq, Perplexity, xAI
    r"npm_": r"[A-Za-z0-9]{36}",
    r"pypi-": r"[A-Za-z0-9_-]{50,}",
    r"SG\.": r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",  # SendGrid
    r"dop_v1_": r"[0-9a-f]{64}",
    r"eyJ": r"[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",  # JSON Web Tokens
}
"""By how keys begin: the rest of them."""
_PLACEHOLDER = r"(?:(?:[A-Za-z]{1,15}[-_]){1,12}[A-Za-z]{1,15}|[xX]+)(?![\w-])"
"""In the place of that rest, such as in `sk-your-key-goes-here`."""
_look_like_secrets = re.compile(
    rf"\b(?:{'|'.join(f'(?:{begin})(?!{_PLACEHOLDER}){rest}' for begin, rest in _SHAPES.items())})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,8000}?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)"
)


def declare_credentials(variables: Iterable[str]) -> None:
    """Have variables of the environment treated as credentials whatever they are called, as a model's `api_key_env` is."""
    _declared.update(variables)


def names_a_credential(variable: str) -> bool:
    """Whether a variable of the environment holds a credential, by its name or because it was declared one."""
    return variable in _declared or _named_as_one(variable)


def _named_as_one(variable: str) -> bool:
    return _names.search(variable) is not None


def sendable(key: str) -> bool:
    """Whether a key can stand in a header of a request."""
    return all(character >= " " and character != "\x7f" for character in key)


def configured_secrets() -> list[str]:
    """The value of each variable of the environment that is named like a credential, longest first."""
    names = _credentials_among(tuple(os.environ), frozenset(_declared))
    values = {os.environ.get(name, "").strip() for name in names}
    return sorted((value for value in values if len(value) >= MIN_LENGTH), key=len, reverse=True)


@lru_cache(maxsize=1)
def _credentials_among(variables: tuple[str, ...], declared: frozenset[str]) -> tuple[str, ...]:
    """Every answer is looked through for credentials, and the names of the variables hardly ever change."""
    return tuple(name for name in variables if name in declared or _named_as_one(name))


def masked(text: str) -> str:
    """`text` without configured credentials, passwords in URLs, and what looks like a key."""
    for secret in configured_secrets():
        text = text.replace(secret, MASK)
    text = _option_password.sub(MASK, _url_password.sub(rf"\1:{MASK}", text))
    return _look_like_secrets.sub(MASK, text)


def unstorable() -> list[str]:
    """The configured credentials that cannot be ordinary words, longest first."""
    return [secret for secret in configured_secrets() if len(secret) >= MIN_WITHHELD and not secret.isalpha()]


def withheld(text: str, credentials: Iterable[str]) -> str:
    """`text` without the credentials, which are `unstorable`."""
    for secret in credentials:
        text = text.replace(secret, WITHHELD)
    return text


def masked_parts(text: str, cuts: Sequence[int]) -> list[str]:
    """The text between neighbouring offsets, masked as in the whole: each part of a credential that a cut goes through.

    Args:
        text: the whole.
        cuts: at least two offsets, ascending.
    """
    spans = secret_spans(text)
    return ["".join(_pieces(text, start, end, spans)) for start, end in pairwise(cuts)]


def _pieces(text: str, start: int, end: int, spans: Sequence[tuple[int, int]]) -> Iterator[str]:
    at = start
    for first, last in spans:
        if last > start and first < end:
            yield text[at : max(at, first)]
            yield MASK
            at = min(last, end)
    yield text[at:end]


def secret_spans(text: str) -> list[tuple[int, int]]:
    """Where `masked` would mask something or `withheld` has, in order and without overlaps."""
    found = [(match.start(), match.end()) for match in re.finditer(re.escape(WITHHELD), text)]
    found += [(match.start(), match.end()) for match in _look_like_secrets.finditer(text)]
    found += [(match.start(), match.end()) for match in _option_password.finditer(text)]
    found += [(match.end(1) + 1, match.end()) for match in _url_password.finditer(text)]
    for secret in configured_secrets():
        found += [(match.start(), match.end()) for match in re.finditer(re.escape(secret), text)]
    apart: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if not apart or start >= apart[-1][1]:
            apart.append((start, end))
        else:
            apart[-1] = (apart[-1][0], max(apart[-1][1], end))
    return apart
