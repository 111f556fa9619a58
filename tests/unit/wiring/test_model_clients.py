"""The clients of the configured models."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llmops.adapters.static_embedder import StaticEmbedder
from llmops.domain.models import CompletionRequest
from llmops.domain.prompts import Message
from llmops.settings.positions import Positions
from llmops.settings.project import Project, ProjectSettings
from llmops.wiring.models import Models

PROMPT = """<passages>
[1] The lamp of the harbour is lit at dusk. It burns paraffin and nothing else.
[2] The crane was sold to a museum in the north.
</passages>

Question: """


class Counting(StaticEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += texts
        return super().embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return super().embed(texts)


async def test_the_large_reader_embeds_a_sentence_once_for_all_questions(tmp_path: Path) -> None:
    counting = Counting()
    settings = ProjectSettings.model_validate({"models": {"large": {"id": "embedded/reader-large"}}})
    models = Models(Project(tmp_path, settings, Positions("llmops.yaml", {})), lambda _: counting)
    said = []
    for question in ("When is the lamp lit?", "Where is the crane?", "When is the lamp lit?"):
        request = CompletionRequest((Message("user", PROMPT + question),))
        said.append((await models.client("large").complete(request)).text)
    assert "at dusk" in said[0]
    assert (said[2], "museum" in said[1]) == (said[0], True)
    assert len(counting.texts) == len(set(counting.texts)) == 3
