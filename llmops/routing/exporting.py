"""Files that serve a route through LiteLLM's own proxy."""

from collections.abc import Mapping
from typing import Any

import yaml

from llmops.settings.models import ModelSettings

HANDLER = "llmops_routes"


def proxy_config(route: str, models: Mapping[str, ModelSettings]) -> str:
    """The proxy's `config.yaml`: the route under its own name, and beside it the models that LiteLLM can ask itself.

    Keys are named, never written: `os.environ/VARIABLE`.
    """
    served = {"model": f"llmops/{route}", "num_retries": 0}  # a route has tried again as often as its models allow
    entries: list[dict[str, Any]] = [{"model_name": route, "litellm_params": served}]
    entries += [
        {"model_name": name, "litellm_params": _params(settings)}
        for name, settings in models.items()
        if not settings.in_process
    ]
    provider = {"provider": "llmops", "custom_handler": f"{HANDLER}.handler"}
    config = {"model_list": entries, "litellm_settings": {"custom_provider_map": [provider]}}
    head = "# Made by `llmops route export`. Start it: litellm --config config.yaml\n"
    return head + yaml.safe_dump(config, sort_keys=False)


def _params(settings: ModelSettings) -> dict[str, Any]:
    retries = {"num_retries": settings.max_retries, "max_retries": 0}  # of the proxy, and of the provider's client beneath it
    found: dict[str, Any] = {"model": settings.id, "timeout": settings.timeout_s, **retries}
    if settings.api_base:
        found["api_base"] = settings.api_base
    if settings.api_key_env:
        found["api_key"] = f"os.environ/{settings.api_key_env}"
    return {**found, **settings.params}


def proxy_handler(route: str, project: str, *, log_text: bool) -> str:
    """The module that the proxy's configuration names.

    Args:
        route: for the first line.
        project: path of the project, relative to the module's folder.
        log_text: keep the questions in the log.
    """
    return f'''"""Serves the route {route!r} through LiteLLM's proxy; made by `llmops route export`."""

from pathlib import Path

from llmops.serving import litellm_handler

here = Path(__file__).parent
handler = litellm_handler(here / {project!r}, log=here / "decisions.jsonl", log_text={log_text})
'''
