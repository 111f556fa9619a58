"""Providers of promptfoo as models of llmops.yaml."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmops.prompting.registry import name_from
from llmops.workflows.promptfoo.assertions import NO_COUNTERPART, LeftOut
from llmops.workflows.promptfoo.source import At, Source, mapping, unused

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
    prefix = _PREFIXES.get(kind)
    interface, _, model = rest.partition(":")
    name = model if interface in _INTERFACES and model else rest
    if prefix is None or not name:
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
        if isinstance(given, list):
            yield from (((key, number), each) for number, each in enumerate(given))
        else:
            yield (key,), given

    def _add(self, at: At, given: Any, name: str = "") -> str:  # noqa: ANN401 -- any value of YAML
        """The name of a model of llmops.yaml for a provider; empty: it is left out."""
        if isinstance(given, dict) and len(given) == 1 and isinstance(options := next(iter(given.values())), dict):
            given = {"id": next(iter(given)), **options}
        entry = given if isinstance(given, dict) else {"id": given}
        try:
            settings, left = model_of(str(entry.get("id", "")), mapping(entry.get("config")))
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

    def judge(self, at: At, provider: Any) -> str:  # noqa: ANN401 -- any value of YAML
        """The name of the model that grades for an assertion."""
        key = json.dumps(provider, sort_keys=True, default=str)
        if key not in self._judges:
            named = provider if isinstance(provider, str | dict) and provider else GRADER
            name = self._add(at, named, "judge") or self._add(at, GRADER, "judge")
            self._judges[key] = name
        return self._judges[key]
