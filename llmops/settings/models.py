"""The models of llmops.yaml and what they cost."""

import re
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from llmops.settings.addresses import Address
from llmops.settings.functions import FUNCTION
from llmops.settings.parameters import Parameters
from llmops.settings.validation import Amount, Positive, Strict

VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""What a variable of the environment may be called."""
EMBEDDED_READERS = ("embedded/reader-small", "embedded/reader-large")


class BatchPriceSettings(Strict):
    """What a model costs in batches of its provider."""

    input_per_million: Amount
    output_per_million: Amount
    cached_input_per_million: Amount | None = None
    reasoning_per_million: Amount | None = None


class PriceSettings(Strict):
    """What a model costs: per token, or per hour of the machine."""

    input_per_million: Amount | None = None
    output_per_million: Amount | None = None
    cached_input_per_million: Amount | None = None
    reasoning_per_million: Amount | None = None
    usd_per_hour: Amount | None = None
    batch: BatchPriceSettings | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        per_token = (self.input_per_million, self.output_per_million)
        if self.usd_per_hour is None and None in per_token:
            raise ValueError("needs `input_per_million` and `output_per_million`, or `usd_per_hour`")
        if self.usd_per_hour is not None and any(value is not None for value in per_token):
            raise ValueError("has both a price per token and `usd_per_hour`; one of them was expected")
        if self.usd_per_hour is not None and self.batch is not None:
            raise ValueError("has `batch`, which is a price per token, and `usd_per_hour`; one of them was expected")
        return self


class ModelSettings(Strict):
    """A model under the name that suites use."""

    id: Annotated[str, Field(min_length=1)]
    """LiteLLM id such as `openai/gpt-4o-mini`, `embedded/reader-small`, or `python/FILE.py:FUNCTION`."""
    api_base: Address | None = None
    api_key_env: str | None = Field(default=None, json_schema_extra={"pattern": VARIABLE})
    """Environment variable that holds the key; default: the provider's usual one."""
    params: Parameters = Field(default_factory=dict)
    """Sampling parameters, passed through."""
    timeout_s: Annotated[float, Field(gt=0, strict=False, allow_inf_nan=False)] = 60.0
    """Bound on one attempt."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 4
    """Further attempts after the first."""
    concurrency: Positive = 16
    """Calls in flight at once, at most."""
    rpm: Positive | None = None
    """Requests in any minute, at most."""
    tpm: Positive | None = None
    """Tokens in any minute, at most."""
    transport: Literal["auto", "direct", "litellm"] = "auto"
    price: PriceSettings | None = None
    context_window: Positive | None = None
    """Tokens; default: LiteLLM's table."""

    @model_validator(mode="after")
    def _known_reader(self) -> Self:
        meant = get_close_matches(self.id.partition("/")[0], ["embedded"], cutoff=0.8)
        if meant and "/" in self.id and self.id not in EMBEDDED_READERS:
            raise ValueError(f"`id` {self.id!r} is not an embedded reader; those are {', '.join(EMBEDDED_READERS)}")
        return self

    @model_validator(mode="after")
    def _known_function(self) -> Self:
        if self.function is None and not self.id.startswith(("python:", "file://")):
            return self
        if self.function is None or re.fullmatch(FUNCTION, self.function) is None:
            raise ValueError(f"`id` {self.id!r} should be `python/FILE.py:FUNCTION`, such as `python/app/bot.py:answer`")
        for key in ("api_base", "api_key_env", "transport"):
            if key in self.model_fields_set:
                raise ValueError(f"has `{key}`, which a function of your own does not take: it looks after its calls itself")
        return self

    @model_validator(mode="after")
    def _names_a_variable(self) -> Self:
        """Does not repeat what was written, which may be the key."""
        if self.api_key_env is not None and re.fullmatch(VARIABLE, self.api_key_env) is None:
            raise ValueError(
                "`api_key_env` is the name of the environment variable that holds the key, such as OPENAI_API_KEY; "
                "a key itself stands in the environment or in `.env`"
            )
        return self

    @property
    def embedded(self) -> bool:
        """Answered by a reader in this process."""
        return self.id.startswith("embedded/")

    @property
    def in_process(self) -> bool:
        """Answered here, not by a server."""
        return self.embedded or self.function is not None

    @property
    def function(self) -> str | None:
        """`FILE.py:FUNCTION` of the user's own that answers; None: a model does."""
        return self.id.removeprefix("python/") if self.id.startswith("python/") else None
