"""Builds embedders: the embedded ones, sentence-transformers, and hosted models."""

from pathlib import Path
from typing import TYPE_CHECKING

from llmops.domain.models import Price
from llmops.domain.ports import Embedder
from llmops.evaluation.batching import Batcher
from llmops.evaluation.spending import EmbeddingMeter
from llmops.settings.files import folder_or_name
from llmops.settings.indexes import EmbedderSettings

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class BatchedEmbedder:
    """Implements `AskEmbedder`."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._ask: Batcher[str, NDArray[float32]] = Batcher(lambda texts: list(embedder.embed(texts)))

    @property
    def identity(self) -> str:
        """As the embedder's."""
        return self._embedder.identity

    async def __call__(self, text: str) -> "NDArray[float32]":
        """As the port."""
        return await self._ask(text)


def build_embedder(root: Path, settings: EmbedderSettings, meter: EmbeddingMeter) -> Embedder:
    """The embedder that the settings name, with its weights or its endpoint untouched; `meter` is told what it takes.

    Raises:
        UsageError: a hosted one of no provider.
    """
    if settings.kind == "static":
        from llmops.adapters.static_embedder import StaticEmbedder

        return StaticEmbedder()
    if settings.kind == "sentence-transformers":
        from llmops.adapters.sentence_transformers_embedder import SentenceTransformersEmbedder

        prefixes = (settings.query_prefix, settings.document_prefix)
        name = folder_or_name(str(settings.name), root)
        return SentenceTransformersEmbedder(name, batch_size=settings.batch_size, prefixes=prefixes)
    if settings.kind == "litellm":
        return _hosted(settings, meter)
    from llmops.adapters.onnx_embedder import OnnxEmbedder

    return OnnxEmbedder()


def _hosted(settings: EmbedderSettings, meter: EmbeddingMeter) -> Embedder:
    from llmops.adapters.litellm_embedder import Calls, LitellmEmbedder, identity_of
    from llmops.adapters.providers import check_provider

    check_provider(str(settings.name), settings.api_base)
    name, prefixes = str(settings.name), (settings.query_prefix, settings.document_prefix)
    account = meter.account(identity_of(name, settings.api_base, prefixes), name, _price(settings))
    calls = Calls(batch_size=settings.batch_size)
    return LitellmEmbedder(name, api_base=settings.api_base, prefixes=prefixes, calls=calls, account=account)


def _price(settings: EmbedderSettings) -> Price | None:
    """The project's own figure, else LiteLLM's table; None when neither knows."""
    own = settings.price
    if own is not None:
        return Price(own.input_per_million, 0.0, usd_per_hour=own.usd_per_hour)
    from llmops.adapters.price_table import listed_price

    return listed_price(str(settings.name))
