"""The outside world, one vendor per file: each implements a port of `llmops.domain` and translates its errors."""
