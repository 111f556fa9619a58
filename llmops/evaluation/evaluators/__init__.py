"""Evaluators, one kind per file; `catalogue` lists them and builds what a suite names."""
