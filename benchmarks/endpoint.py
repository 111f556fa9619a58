"""An OpenAI-compatible endpoint for benchmarks, in a process of its own, with a latency and with faults.

Run: python -m benchmarks.endpoint [--latency-ms 200] [--faults]; the first line that it prints is its port.
"""

import argparse
import asyncio
import json
import random
from collections import Counter

from aiohttp import web

FAULTS = (("429", 0.05), ("500", 0.02), ("reset", 0.01), ("malformed", 0.01), ("hang", 0.01))
"""What goes wrong, and in what share of the requests."""
HANG_S = 30.0


class Endpoint:
    """Answers each request with the last message of its prompt."""

    def __init__(self, latency_s: float, *, faults: bool) -> None:
        self._latency_s = latency_s
        self._faults = FAULTS if faults else ()
        self._random = random.Random(0)
        self._counts: Counter[str] = Counter()

    async def complete(self, request: web.Request) -> web.Response:
        """One chat completion, or a fault."""
        body = await request.json()
        self._counts["requests"] += 1
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        fault = self._fault()
        if fault is not None:
            self._counts[fault] += 1
        if fault == "429":
            return web.json_response({"error": {"message": "slow down"}}, status=429, headers={"Retry-After": "1"})
        if fault == "500":
            return web.json_response({"error": {"message": "broken"}}, status=500)
        if fault == "malformed":
            return web.Response(text='{"choices": [{"mess', content_type="application/json")
        if fault == "reset" and request.transport is not None:
            request.transport.abort()
        if fault == "hang":
            await asyncio.sleep(HANG_S)
        message = {"role": "assistant", "content": body["messages"][-1]["content"]}
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
        }
        return web.Response(text=json.dumps(answer), content_type="application/json")

    async def counts(self, _request: web.Request) -> web.Response:
        """How many requests came since the last time somebody asked, and how many of each fault."""
        counts, self._counts = self._counts, Counter()
        return web.json_response(counts)

    def _fault(self) -> str | None:
        drawn = self._random.random()
        for name, share in self._faults:
            if drawn < share:
                return name
            drawn -= share
        return None


async def serve(latency_s: float, *, faults: bool) -> None:
    """Serve on a free port of 127.0.0.1 until killed."""
    endpoint = Endpoint(latency_s, faults=faults)
    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", endpoint.complete), web.get("/counts", endpoint.counts)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--faults", action="store_true")
    options = parser.parse_args()
    asyncio.run(serve(options.latency_ms / 1000, faults=options.faults))


if __name__ == "__main__":
    main()
