"""From a suite to results: planning, running, evaluating, aggregating and judging."""
