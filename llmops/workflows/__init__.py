"""Use cases that span packages, one module each."""
