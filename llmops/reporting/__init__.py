"""A report in, text out: terminal, JSON, JUnit, Markdown and CSV."""
