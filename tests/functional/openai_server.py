"""An OpenAI-compatible server on 127.0.0.1 whose faults a test sets, and which counts what it was asked."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from openai_batches import Batches

ODD_CHUNKS = ([1], "text", None, {"choices": 5}, {"choices": [7, {"delta": "text"}, {"delta": {"content": 5}}]})
"""Before a streamed answer: JSON that is no part of one."""
TOOL_CALL: dict[str, Any] = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
POLL_S = 0.02
"""How long its end is waited for, at most."""


def _tool_chunks() -> list[dict[str, Any]]:
    """A call of a tool as it is streamed: its name, then its arguments in pieces."""
    text = TOOL_CALL["function"]["arguments"]
    opening = {**TOOL_CALL, "index": 0, "function": {"name": "weather", "arguments": ""}}
    pieces = [opening, *({"index": 0, "function": {"arguments": part}} for part in (text[:7], text[7:]))]
    head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return [{**head, "choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [piece]}}]} for piece in pieces]


def send(request: BaseHTTPRequestHandler, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
    """Answer a request."""
    try:
        request.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)
    except OSError:
        pass  # the client was killed; that is what some tests do


def _text(content: str | list[dict[str, Any]]) -> str:
    """The texts of a message."""
    return content if isinstance(content, str) else "\n".join(part["text"] for part in content if part["type"] == "text")


class OpenAiServer:
    """Answers `echo: <last message>`; `faults` maps the number of a request (from 1) to what goes wrong."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.faults: dict[int, str] = {}
        self.always: str | None = None
        self.prompts: Counter[str] = Counter()
        self.embedded: list[str] = []
        """Every text that a vector was asked for."""
        self.requests = 0
        self.asked: list[list[dict[str, Any]]] = []
        """The messages of each request."""
        self.headers: dict[str, str] = {}
        """Of every answer."""
        self.at_once = self.most_at_once = 0
        self.reply: Callable[[list[dict[str, Any]]], str] | None = None
        """From the messages of a request to the answer; None: the echo."""
        self.tokens: Callable[[str], tuple[int, int]] = lambda _: (7, 3)
        """From a prompt to the tokens of it and of its answer."""
        self.model: str | None = None
        """That it says it answers with; None: the one that was asked for."""
        self.usage: dict[str, Any] | None = None
        """Of every answer; None: as `tokens` say."""
        self.logprob: Callable[[str], float] = lambda _: -0.25
        """From a prompt to the log-probability of each word of its answer, told when it is asked for."""
        self.batches = Batches(self._batched)
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: the second would wait for an acknowledgement

            def do_POST(self) -> None:
                server.handle(self)

            def do_GET(self) -> None:
                send(self, *server.batches.handle("GET", self.path, b""))

            def log_message(self, *_: Any) -> None:  # noqa: ANN401
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self._handle(request)
        finally:
            with self._lock:
                self.at_once -= 1

    def _handle(self, request: BaseHTTPRequestHandler) -> None:
        data = request.rfile.read(int(request.headers["Content-Length"]))
        if request.path.endswith(("/files", "/batches")):
            send(request, *self.batches.handle("POST", request.path, data))
            return
        body = json.loads(data)
        if request.path.endswith("/embeddings"):
            self._embed(request, body)
            return
        number, prompt = self.count(body)
        time.sleep(self.delay_s)
        fault = self.always or self.faults.get(number)
        if fault == "reset":
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
            return
        if fault == "429":
            send(request, 429, b'{"error": {"message": "slow down"}}', {"Retry-After": "0"})
            return
        if fault == "429 for long":
            send(request, 429, b'{"error": {"message": "slow down"}}', {"Retry-After": "100"})
            return
        if fault == "404":
            send(request, 404, b"404: Not Found")
            return
        if fault in ("400", "401", "402", "500"):
            send(request, int(fault), b'{"error": {"message": "broken"}}')
            return
        if fault == "malformed":
            send(request, 200, b'{"choices": [{"mess')
            return
        echo = f"echo: {prompt}" if self.reply is None else self.reply(body["messages"])
        text = "" if fault in ("empty", "filter", "tools") else echo
        calls = fault in ("tools", "text and tools")
        finish = "tool_calls" if calls else "content_filter" if fault == "filter" else "stop"
        words = [{"token": part, "logprob": self.logprob(prompt)} for part in text.split()]
        sure = {"content": words} if body.get("logprobs") else None
        if body.get("stream"):
            usage = None if fault == "no usage" else self._usage(prompt)
            odd = ODD_CHUNKS if fault == "odd chunks" else _tool_chunks() if calls else ()
            self._stream(request, text, sure, usage=usage, odd=odd, finish=finish)
            return
        answer = self.answer(body, prompt, text, sure, finish, calls=calls)
        if fault == "no usage":
            del answer["usage"]
        send(request, 200, json.dumps(answer).encode(), self.headers)

    def count(self, body: dict[str, Any]) -> tuple[int, str]:
        """The number of a request, and its last message."""
        with self._lock:
            self.requests += 1
            self.asked.append(body["messages"])
            prompt = _text(body["messages"][-1]["content"])
            self.prompts[prompt] += 1
            return self.requests, prompt

    def answer(
        self, body: dict[str, Any], prompt: str, text: str, sure: dict[str, Any] | None, finish: str, *, calls: bool = False
    ) -> dict[str, Any]:
        """A completion as JSON."""
        message = {"role": "assistant", "content": text, **({"tool_calls": [TOOL_CALL]} if calls else {})}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": self.model or body["model"],
            "choices": [{"index": 0, "message": message, "logprobs": sure, "finish_reason": finish}],
            "usage": self._usage(prompt),
        }

    def _batched(self, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request of a batch."""
        _, prompt = self.count(body)
        text = f"echo: {prompt}" if self.reply is None else self.reply(body["messages"])
        return self.answer(body, prompt, text, None, "stop")

    def _embed(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """Vectors that count letters; each text is one token."""
        with self._lock:
            self.embedded += body["input"]
        counts = [[1 + text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in body["input"]]
        data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(counts)]
        usage = {"prompt_tokens": len(body["input"]), "total_tokens": len(body["input"])}
        send(request, 200, json.dumps({"object": "list", "model": "m", "data": data, "usage": usage}).encode())

    def _usage(self, prompt: str) -> dict[str, Any]:
        if self.usage is not None:
            return self.usage
        read, written = self.tokens(prompt)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def _stream(
        self,
        request: BaseHTTPRequestHandler,
        text: str,
        sure: dict[str, Any] | None,
        *,
        usage: dict[str, Any] | None,
        odd: Sequence[Any],
        finish: str,
    ) -> None:
        chunks: list[dict[str, Any]]
        chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": part}}]} for part in text.split(" ")]
        if sure is not None:
            for chunk, token in zip(chunks, sure["content"], strict=False):
                chunk["choices"][0]["logprobs"] = {"content": [token]}
        end: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
        events = [*chunks, end]
        if usage is not None:
            events.append({"choices": [], "usage": usage})
        head = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        sent = [*odd, *(head | event for event in events)]
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in sent) + "data: [DONE]\n\n"
        send(request, 200, lines.encode(), {"Content-Type": "text/event-stream"})

    @contextmanager
    def running(self) -> Iterator["OpenAiServer"]:
        thread = threading.Thread(target=self._http.serve_forever, args=(POLL_S,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
