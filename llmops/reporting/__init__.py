"""A report in, text out: terminal, HTML, JSON, JUnit, Markdown, CSV and SARIF."""
