"""The configured models: their clients, and what is known of them without asking them."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from llmops.domain.errors import InvalidFiles, UsageError
from llmops.domain.models import Price
from llmops.domain.ports import ChatBatches, ChatModel, Embedder
from llmops.rag.remembering import ProcessMemory, RememberingEmbedder
from llmops.settings.functions import find_function
from llmops.settings.indexes import EmbedderSettings
from llmops.settings.models import ModelSettings
from llmops.settings.project import Project

if TYPE_CHECKING:
    from llmops.workflows.prompt_use import ModelFacts

FREE = Price(0.0, 0.0, source="runs in this process")
"""Of the embedded readers, unless a project gives them a price as an example."""


class Models:
    """The models of a project by name. Each method raises `UsageError` when there is none of that name."""

    def __init__(self, project: Project, embedder: Callable[[EmbedderSettings], Embedder]) -> None:
        """Args: `embedder` builds the one that an embedded reader ranks sentences with."""
        self._project = project
        self._embedder = embedder
        self._sentences = ProcessMemory()

    def client(self, name: str) -> ChatModel:
        """Who asks a model, in this process; a call ends within the model's `timeout_s`.

        Raises:
            InvalidFiles: there is no provider such as the model's id names.
        """
        self.check_provider(name)
        settings, transport = self._project.model(name), self.transport(name)
        if transport == "direct":
            from llmops.adapters.direct_model import DirectModel

            return DirectModel(name, settings)  # aiohttp keeps the timeout of a whole call by itself
        from llmops.evaluation.bounded import BoundedModel

        made = {"embedded": self._embedded, "python": self._function}.get(transport, partial(self._hosted, name))
        return BoundedModel(made(settings), settings.timeout_s)

    def _embedded(self, settings: ModelSettings) -> ChatModel:
        from llmops.adapters.embedded_reader import EmbeddedReader

        if not settings.id.endswith("large"):
            return EmbeddedReader(settings.id)
        # The passages of one question are those of others, too.
        return EmbeddedReader(settings.id, RememberingEmbedder(self._embedder(EmbedderSettings()), self._sentences))

    def _function(self, settings: ModelSettings) -> ChatModel:
        from llmops.adapters.function_model import FunctionModel

        return FunctionModel(settings.id, find_function(str(settings.function), self._project.root))

    def _hosted(self, name: str, settings: ModelSettings) -> ChatModel:
        from llmops.adapters.litellm_model import LitellmModel

        return LitellmModel(name, settings)

    def batches(self, name: str) -> ChatBatches | None:
        """Who has a model asked in batches of its provider; None: nobody can."""
        if self.transport(name) != "direct":
            return None
        from llmops.adapters.openai_batches import OpenaiBatches

        return OpenaiBatches(name, self._project.model(name))

    def transport(self, name: str) -> str:
        """How a model is asked: `embedded`, `python`, `direct` or `litellm`."""
        settings = self._project.model(name)
        if settings.in_process:
            return settings.id.partition("/")[0]
        from llmops.adapters.direct_model import speaks_openai

        direct = settings.transport == "direct" or (settings.transport == "auto" and speaks_openai(settings))
        return "direct" if direct else "litellm"

    def check_provider(self, name: str) -> None:
        """Nothing when there is a provider, or a function, such as a model's id names.

        Raises:
            InvalidFiles: there is none.
        """
        settings = self._project.model(name)
        try:
            self._check(name, settings)
        except UsageError as error:
            raise InvalidFiles([self._project.positions.located(("models", name, "id"), error)]) from None

    def _check(self, name: str, settings: ModelSettings) -> None:
        if settings.embedded:
            return
        if settings.function is not None:
            find_function(settings.function, self._project.root)
            return
        from llmops.adapters.providers import check_provider, check_slash

        check_slash(settings.id)
        if self.transport(name) == "litellm":
            check_provider(settings.id, settings.api_base)

    def key_state(self, name: str) -> str:
        """Whether a model's key is set, never the key."""
        settings = self._project.model(name)
        if settings.in_process:
            return "not needed"
        from llmops.adapters.credentials import key_variable, needs_no_key

        variable = key_variable(settings)
        if variable is None:
            return "not known"
        if os.environ.get(variable, "").strip():
            return f"{variable} is set"
        return f"not needed, {variable} is not set" if needs_no_key(settings) else f"{variable} is not set"

    def price(self, name: str) -> Price | None:
        """What a model costs: the project's own figure, nothing for an embedded one, else LiteLLM's; None when nobody knows."""
        settings = self._project.model(name)
        if settings.price is not None:
            own = settings.price.model_dump()
            return Price(**{**own, "batch": None if own["batch"] is None else Price(**own["batch"])})
        if settings.embedded:
            return FREE
        from llmops.adapters.price_table import listed_price

        return listed_price(settings.id, settings.params.get("service_tier"))

    def facts(self, name: str) -> "ModelFacts":
        """What is known of a configured model, or of a LiteLLM id, without asking it."""
        from llmops.adapters.message_tokens import message_counter
        from llmops.adapters.price_table import listed_price, listed_window
        from llmops.workflows.prompt_use import ModelFacts

        configured = name in self._project.settings.models or "/" not in name
        settings = self._project.model(name) if configured else ModelSettings(id=name)
        counter = message_counter(settings)
        price = self.price(name) if configured else listed_price(name)
        window = settings.context_window or (None if settings.embedded else listed_window(settings.id))
        return ModelFacts(name, counter.count, counter.estimated, price, window)
