"""What a log of decisions comes to: one user's requests are no independent ones."""

import json
from pathlib import Path

import pytest

from llmops.domain.route_reports import ServedReport
from llmops.statistics.intervals import wilson
from llmops.workflows.route_log import served_report


def logged(folder: Path, users: int) -> ServedReport:
    """Forty requests, of which every second user gets the small model and bad answers."""
    rows = [
        {
            "id": str(number),
            "at": "2026-01-01T00:00:00",
            "route": "rollout",
            "key": f"user-{number % users}",
            "calls": [{"model": "small" if number % 2 else "large", "cost_usd": 0.001 + number % 2, "served": True}],
            "quality": number % 2,
        }
        for number in range(40)
    ]
    path = folder / f"{users}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return served_report(path, folder)


def test_intervals_of_a_log_take_the_requests_of_a_key_as_one(tmp_path: Path) -> None:
    many, few = (logged(tmp_path, users) for users in (40, 8))
    assert [(each.name, each.requests, each.share) for each in few.served] == [("large", 20, 0.5), ("small", 20, 0.5)]
    for found, users in ((many, 40), (few, 8)):
        expected = wilson(users // 2, users)
        assert found.served[1].interval == pytest.approx((expected.low, expected.high))
        assert found.quality_interval == pytest.approx((expected.low, expected.high))
    assert many.cost_interval is not None
    assert few.cost_interval is not None
    assert few.cost_interval[1] - few.cost_interval[0] > 2 * (many.cost_interval[1] - many.cost_interval[0])
