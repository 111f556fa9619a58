"""Is the answer about the same thing as the expected text?"""

import asyncio

from llmops.domain.records import record
from llmops.domain.scores import Outcome, Sample, Score, Unmeasured
from llmops.evaluation.evaluators.base import AskEmbedder, Figures, Kind, Services, Texts, identity
from llmops.evaluation.evaluators.equals import references
from llmops.evaluation.evaluators.excerpts import excerpt
from llmops.settings.indexes import EmbedderSettings
from llmops.settings.validation import Strict


class SimilarityOptions(Strict):
    """Options of `similarity`."""

    to: Texts = "expected"
    """Of several the most similar counts."""
    embedder: EmbedderSettings = EmbedderSettings()


@record
class Similarity:
    """Value: cosine of the embeddings of the answer and of the closest reference, -1 to 1."""

    options: SimilarityOptions
    embedder: AskEmbedder

    @property
    def identity(self) -> str:
        """The options and the embedder."""
        return identity("similarity", 2, self.options, self.embedder.identity)

    async def evaluate(self, sample: Sample) -> Outcome:
        """Embed the answer and each reference."""
        texts = references(sample.case, self.options.to)
        if not isinstance(texts, list):
            return texts
        texts = [text for text in texts if text.strip()]
        if not texts:
            return Unmeasured("the expected text is empty")
        if not sample.completion.text.strip():
            return Score(0.0, "the answer is empty")
        answer, *vectors = await asyncio.gather(*map(self.embedder, (sample.completion.text, *texts)))
        value, closest = max((float(answer @ vector), text) for vector, text in zip(vectors, texts, strict=True))
        return Score(min(1.0, max(-1.0, value)), f"closest: {excerpt(closest)}")


def _build(options: SimilarityOptions, services: Services) -> Similarity:
    return Similarity(options, services.embed(options.embedder))


KIND = Kind(
    "similarity",
    "Cosine similarity to the expected text.",
    SimilarityOptions,
    _build,
    cached=True,
    reads=frozenset(("answer",)),
    figures=Figures((-1.0, 1.0)),
    fields=("to",),
)
