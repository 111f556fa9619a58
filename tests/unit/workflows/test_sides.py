"""What a side of a comparison names."""

import pytest

from llmops.workflows.sides import names_prompts


@pytest.mark.parametrize("reference", ["answer", "answer@1.0.0", "git:main", "2say", "2say@1.0.0", "2026-answer", "20260101x"])
def test_what_has_not_the_form_of_a_run_names_prompts(reference: str) -> None:
    assert names_prompts(reference)


@pytest.mark.parametrize("length", [1, 8, 9, 12, 15, 16, 19, 20])
def test_an_id_and_how_it_begins_name_a_run(length: int) -> None:
    assert not names_prompts("20260101-120000-ab12"[:length])
    assert not names_prompts("@last~1")
