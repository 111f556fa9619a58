"""Fixtures of tests in more than one folder."""

from store_urls import url

__all__ = ["url"]
