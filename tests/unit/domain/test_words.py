import pytest

from llmops.domain.words import many


@pytest.mark.parametrize(
    ("count", "noun", "told"),
    [
        (1, "case", "1 case"),
        (0, "case", "0 cases"),
        (2, "query", "2 queries"),
        (1203, "model call", "1,203 model calls"),
        (2, "search", "2 searches"),
        (2, "key", "2 keys"),
    ],
)
def test_one_is_told_from_many(count: int, noun: str, told: str) -> None:
    assert many(count, noun) == told
