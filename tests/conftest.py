"""Fixtures of tests in more than one folder."""

from postgres_server import postgres, url

__all__ = ["postgres", "url"]
