"""Prompts: parse, render in a sandbox, version, compare, lint, import and export."""
