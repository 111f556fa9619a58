"""Fixtures of tests in more than one folder."""

from hypothesis import HealthCheck, settings
from postgres_server import postgres, url

__all__ = ["postgres", "url"]

# Machines are noisy: how long an example takes decides nothing.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
