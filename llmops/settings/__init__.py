"""The files a user writes: llmops.yaml and suites, read strictly, each problem with its file, line and key."""
