"""What LiteLLM's proxy is told of a route and its models."""

import yaml

from llmops.routing.exporting import proxy_config
from llmops.settings.models import ModelSettings


def test_each_request_is_tried_again_in_one_place_alone() -> None:
    """The route tries again itself, and of a model the proxy does, not its client beneath."""
    config = yaml.safe_load(proxy_config("r", {"small": ModelSettings(id="openai/small", max_retries=3)}))
    retries = [
        (entry["litellm_params"]["num_retries"], entry["litellm_params"].get("max_retries")) for entry in config["model_list"]
    ]
    assert retries == [(0, None), (3, 0)]
