"""From a configuration of promptfoo to a project."""
