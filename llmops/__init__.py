"""llmops: version prompts, build RAG pipelines, route between models and gate changes on evaluations."""

__version__ = "0.1.0"
