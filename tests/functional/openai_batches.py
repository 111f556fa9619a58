"""The Batch API of the OpenAI-compatible server."""

import json
from collections.abc import Callable
from typing import Any

PAGE = 2
"""Batches that are listed at a time: few, so that lists have pages."""


class Batches:
    """Answers as OpenAI does: files of requests, batches of them, files of answers. A test sets what goes wrong."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Args: `answer` gives the completion for a request."""
        self._answer = answer
        self.polls = 0
        """Times that a batch is still in progress when it is asked about."""
        self.slow: dict[str, int] = {}
        """The same of single batches, by id."""
        self.offered = True
        """The endpoint has batches at all."""
        self.error: str | None = None
        """Why the next batch fails before it begins."""
        self.expired: set[str] = set()
        """Last messages of the requests that are not worked on in time."""
        self.statuses: dict[str, list[int]] = {}
        """By last message: what goes wrong with it in its next batches, such as [500] in one of them."""
        self.unsaid: set[str] = set()
        """Last messages of the requests of which the files of answers say nothing."""
        self.junk = b""
        """Stands before the answers in their files."""
        self.broken: dict[tuple[str, str], list[int]] = {}
        """By method and the first part of the path: the statuses of the next answers."""
        self.begun: list[list[str]] = []
        """Of each batch, the last messages of its requests."""
        self.calls: list[tuple[str, str]] = []
        """Methods and paths."""
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, dict[str, Any]] = {}
        self._polled: dict[str, int] = {}

    def handle(self, method: str, path: str, data: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        path, _, query = path.partition("/v1/")[2].partition("?")
        self.calls.append((method, path))
        kind, *rest = path.split("/")
        if not self.offered:
            return 404, b'{"detail": "Not Found"}'
        if statuses := self.broken.get((method, kind)):
            return statuses.pop(0), b'{"error": {"message": "broken"}}'
        if (method, kind) == ("POST", "files"):
            return 200, self._uploaded(data)
        if (method, kind) == ("POST", "batches"):
            return 200, json.dumps(self._begin(json.loads(data))).encode()
        if kind == "files":
            return (200, self._files[rest[0]]) if rest[0] in self._files else (404, b'{"error": {"message": "no such file"}}')
        return 200, json.dumps(self._state(rest[0]) if rest else self._listed(query)).encode()

    def forget(self) -> None:
        """Remove all files, as after some weeks."""
        self._files.clear()

    def _uploaded(self, data: bytes) -> bytes:
        assert b'name="purpose"\r\n\r\nbatch\r\n' in data
        lines = [line.rstrip(b"\r") for line in data.split(b"\n") if line.startswith(b'{"custom_id"')]
        id = f"file-{len(self._files)}"
        self._files[id] = b"\n".join(lines)
        return json.dumps({"id": id, "object": "file", "purpose": "batch"}).encode()

    def _begin(self, wanted: dict[str, Any]) -> dict[str, Any]:
        assert wanted["endpoint"] == "/v1/chat/completions"
        assert wanted["completion_window"] == "24h"
        requests = [json.loads(line) for line in self._files[wanted["input_file_id"]].splitlines()]
        assert all(each["method"] == "POST" and each["url"] == wanted["endpoint"] for each in requests)
        id = f"batch_{len(self._batches)}"
        error, self.error = self.error, None
        batch = {"id": id, "object": "batch", "input_file_id": wanted["input_file_id"], "status": "validating"}
        self._batches[id] = batch
        self._polled[id] = 0
        if error is None:
            self.begun.append([_last(each["body"]) for each in requests])
            self._work(batch, requests)
        else:
            batch["errors"] = {"data": [{"code": "invalid", "message": error}]}
            batch["left"] = "failed"
        return {name: value for name, value in batch.items() if name in ("id", "object", "input_file_id", "status")}

    def _work(self, batch: dict[str, Any], requests: list[dict[str, Any]]) -> None:
        made, failed = [], []
        for each in requests:
            last = _last(each["body"])
            line: dict[str, Any] = {"id": "r", "custom_id": each["custom_id"], "response": None, "error": None}
            if last in self.unsaid:
                continue
            if last in self.expired:
                failed.append({**line, "error": {"code": "batch_expired", "message": "the window has expired"}})
            elif self.statuses.get(last):
                status, body = self.statuses[last].pop(0), {"error": {"message": "broken"}}
                failed.append({**line, "response": {"status_code": status, "body": body}})
            else:
                made.append({**line, "response": {"status_code": 200, "body": self._answer(each["body"])}})
        for name, lines in (("output_file_id", made), ("error_file_id", failed)):
            if lines:
                batch[name] = f"file-{batch['id']}-{name}"
                self._files[batch[name]] = self.junk + b"".join(json.dumps(line).encode() + b"\n" for line in lines[::-1])
        batch["left"] = "expired" if self.expired else "completed"
        batch["request_counts"] = {"total": len(requests), "completed": len(made), "failed": len(failed)}

    def _state(self, id: str) -> dict[str, Any]:
        batch = self._batches[id]
        self._polled[id] += 1
        if self._polled[id] <= self.slow.get(id, self.polls):
            return {**batch, "status": "in_progress", "output_file_id": None, "error_file_id": None}
        return {**batch, "status": batch["left"]}

    def _listed(self, query: str) -> dict[str, Any]:
        """Newest first."""
        ids = list(self._batches)[::-1]
        after = next((part.partition("=")[2] for part in query.split("&") if part.startswith("after=")), None)
        start = 0 if after is None else ids.index(after) + 1
        page = ids[start : start + PAGE]
        return {"object": "list", "data": [self._batches[id] for id in page], "has_more": start + PAGE < len(ids)}


def _last(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])
