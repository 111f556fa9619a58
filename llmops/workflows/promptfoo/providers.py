"""Providers of promptfoo as models of llmops.yaml."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmops.prompting.registry import name_from
from llmops.workflows.promptfoo.assertions import NO_COUNTERPART, LeftOut, templated
from llmops.workflows.promptfoo.source import DATA, FILE, At, Source, env_name, mapping, unused

KEY = "a key stands in the environment or in .env, not in a file of the project"
GRADER = "openai:gpt-4.1"
"""Grades where the configuration names no provider for it."""

_PREFIXES = {
    "openai": "openai",
    "azure": "azure",
    "azureopenai": "azure",
    "anthropic": "anthropic",
    "bedrock": "bedrock",
    "cerebras": "cerebras",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "google": "gemini",
    "groq": "groq",
    "mistral": "mistral",
    "ollama": "ollama_chat",
    "openrouter": "openrouter",
    "perplexity": "perplexity",
    "replicate": "replicate",
    "togetherai": "together_ai",
    "vertex": "vertex_ai",
    "xai": "xai",
}
"""Of a provider there, and of its LiteLLM id."""
_INTERFACES = ("chat", "messages", "converse", "responses", "completion")
"""Second parts of an id that say how a model is asked, not which."""
_OTHER_INTERFACES = {
    *("agents", "assistant", "chatkit", "embedding", "embeddings", "image", "moderation", "realtime", "speech"),
    *("transcription", "video"),
}
"""Second parts that say that no chat model is asked."""
_PROGRAMS = ("file", "python", "exec", "javascript")
_PARAMETERS = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_completion_tokens",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "stop",
    "response_format",
    "tools",
    "tool_choice",
    "reasoning_effort",
)
_PLACES = {"apiBaseUrl": "api_base", "apiKeyEnvar": "api_key_env"}


def model_of(provider: str, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings of a model, and the keys of `config` that have no counterpart.

    Args:
        provider: an id such as `openai:chat:gpt-4o`.
        config: of the provider; a key is not carried over.

    Raises:
        LeftOut: no LiteLLM id is known for the provider.
    """
    kind, _, rest = provider.partition(":")
    if kind in _PROGRAMS or rest.endswith((".py", ".js", ".ts")):
        raise LeftOut(f"{provider!r} is a program; a Python function of yours can be a model: `python/FILE.py:FUNCTION`")
    if templated(provider):
        raise LeftOut(f"its id {provider!r} stands in the environment: write it under `models` of llmops.yaml")
    prefix = _PREFIXES.get(kind)
    interface, _, model = rest.partition(":")
    name = model if interface in _INTERFACES and model else rest
    if prefix is None or not name or (interface in _OTHER_INTERFACES and model):
        raise LeftOut(f"no LiteLLM id is known for the provider {provider!r}: write it under `models` of llmops.yaml")
    places = {ours: str(config[theirs]) for theirs, ours in _PLACES.items() if theirs in config}
    if "apiHost" in config and "api_base" not in places:
        places["api_base"] = f"https://{str(config['apiHost']).removeprefix('https://')}"
    params = {key: config[key] for key in _PARAMETERS if key in config}
    left = [str(key) for key in config if key not in (*_PARAMETERS, *_PLACES, "apiHost")]
    return {"id": f"{prefix}/{name}", **places, **({"params": params} if params else {})}, left


class Models:
    """The models of llmops.yaml that providers become."""

    def __init__(self, source: Source) -> None:
        self.settings: dict[str, dict[str, Any]] = {}
        self._source = source
        self._judges: dict[str, str] = {}

    def targets(self) -> list[str]:
        """The names of what the configuration evaluates."""
        return [name for at, each in self._providers() if (name := self._add(at, each))]

    def _providers(self) -> Iterator[tuple[At, Any]]:
        key = "providers" if "providers" in self._source.config else "targets"
        given = self._source.loaded(self._source.config.get(key) or [], (key,))
        if not isinstance(given, list):
            yield (key,), given
            return
        for number, each in enumerate(given):
            found = self._of_file(each, (key, number))
            yield from (((key, number), one) for one in (found if isinstance(found, list) else [found]) if one is not None)

    def _of_file(self, given: Any, at: At) -> Any:  # noqa: ANN401 -- any value of YAML
        """A provider, or what a file of data says of one or several; None: it cannot be read, which is noted."""
        is_data = isinstance(given, str) and given.startswith(FILE) and given.endswith(DATA)
        return self._source.loaded(given, at) if is_data else given

    def _add(self, at: At, given: Any, name: str = "") -> str:  # noqa: ANN401 -- any value of YAML
        """The name of a model of llmops.yaml for a provider; empty: it is left out."""
        if isinstance(given, dict) and len(given) == 1 and isinstance(options := next(iter(given.values())), dict):
            given = {"id": next(iter(given)), **options}
        entry = given if isinstance(given, dict) else {"id": given}
        try:
            settings, left = model_of(str(entry.get("id", "")), self._config(mapping(entry.get("config")), (*at, "config")))
        except LeftOut as error:
            self._source.leave(at, error.message)
            return ""
        self._source.leave_others(entry, ("id", "label", "config"), at)
        for key in left:
            self._source.leave(at, KEY if key == "apiKey" else f"`{key}` of {entry['id']} {NO_COUNTERPART}")
        name = name or name_from(str(entry.get("label") or settings["id"].rpartition("/")[2])) or "model"
        same = next((known for known, other in self.settings.items() if other == settings and known.startswith(name)), None)
        if same is None:
            same = unused(name, self.settings)
            self.settings[same] = settings
        return same

    def _config(self, given: Mapping[str, Any], at: At) -> dict[str, Any]:
        """The `config` of a provider, with what its files hold and without what stands in the environment."""
        config = dict(given)
        if name := env_name(config.get("apiKey")):
            config = {"apiKeyEnvar": name, **{key: value for key, value in config.items() if key != "apiKey"}}
        for key in [key for key, value in config.items() if templated(value) and key != "apiKey"]:
            self._source.leave((*at, key), f"`{config.pop(key)}` stands in the environment: write it in llmops.yaml")
        read = {key: value if key == "apiKey" else self._source.with_files(value, (*at, key)) for key, value in config.items()}
        return {key: value for key, value in read.items() if value is not None}

    def judge(self, at: At, provider: Any) -> str:  # noqa: ANN401 -- any value of YAML
        """The name of the model that grades for an assertion.

        Raises:
            LeftOut: the configuration names one that is not carried over; no other takes its place.
        """
        key = json.dumps(provider, sort_keys=True, default=str)
        if key not in self._judges:
            named = provider if isinstance(provider, str | dict) and provider else GRADER
            if isinstance(named, dict) and "id" not in named and "text" in named:
                named = named["text"]  # beside one for embeddings
            self._judges[key] = self._add(at, self._of_file(named, at), "judge")
        if not self._judges[key]:
            raise LeftOut("the model that grades it is not carried over")
        return self._judges[key]
