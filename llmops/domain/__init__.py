"""The words of llmops as frozen dataclasses, the error tree and the ports. No I/O and no vendor."""
