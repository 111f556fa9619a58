import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from llmops.adapters.litellm_embedder import Calls, LitellmEmbedder
from llmops.adapters.tiktoken_tokenizer import TiktokenTokenizer
from llmops.domain.errors import BadResponse, MissingCredential, RateLimited, Refused, Unavailable
from llmops.domain.models import Usage

NAME = "openai/text-embedding-3-small"


@dataclass
class Endpoint:
    """An OpenAI-compatible server whose next answers a test can set."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    failures: list[tuple[int, dict[str, str], str]] = field(default_factory=list)
    answer: Any = None
    """What is sent instead of vectors."""
    usage: Any = field(default_factory=lambda: {"prompt_tokens": 1, "total_tokens": 1})


def vectors(texts: list[str]) -> list[dict[str, Any]]:
    """Vectors of length 2 that tell texts apart; in reverse, because the protocol orders them by `index` alone."""
    data = [
        {"object": "embedding", "index": i, "embedding": [2.0 * np.cos(len(t)), 2.0 * np.sin(len(t))]}
        for i, t in enumerate(texts)
    ]
    return data[::-1]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.bodies.append(body)
            status, headers, text = state.failures.pop(0) if state.failures else (200, {}, "")
            if not text:
                data = vectors(body["input"]) if state.answer is None else state.answer
                text = json.dumps({"object": "list", "model": "m", "data": data, "usage": state.usage})
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def embedder(endpoint: Endpoint, waits: list[float] | None = None, **options: Any) -> LitellmEmbedder:  # noqa: ANN401
    sleep = (waits if waits is not None else []).append
    calls = Calls(batch_size=3, sleep=sleep, timeout_s=10, max_retries=options.pop("max_retries", 4))
    return LitellmEmbedder(NAME, api_base=endpoint.url, calls=calls, **options)


def test_embeds_in_batches_and_keeps_the_order(endpoint: Endpoint) -> None:
    texts = ["a" * n for n in (5, 1, 9, 2, 7, 3, 8)]
    found = embedder(endpoint).embed(texts)
    expected = np.array([[np.cos(len(t)), np.sin(len(t))] for t in texts], np.float32)
    assert found == pytest.approx(expected, abs=1e-6)
    assert found.dtype == np.float32
    assert sorted(len(body["input"]) for body in endpoint.bodies) == [1, 3, 3]


def test_dimension_comes_from_the_first_answer(endpoint: Endpoint) -> None:
    fresh = embedder(endpoint)
    assert fresh.dimensions == 2
    assert fresh.embed([]).shape == (0, 2)
    assert len(endpoint.bodies) == 1


def test_prefixes_and_hostile_texts_reach_the_model(endpoint: Endpoint) -> None:
    with_prefix = embedder(endpoint, prefixes=("query: ", "passage: "))
    with_prefix.embed_queries(["why?"])
    with_prefix.embed(["because"])
    embedder(endpoint).embed(["", "a\ud800"])
    assert [body["input"] for body in endpoint.bodies] == [["query: why?"], ["passage: because"], [" ", "a?"]]


def test_waits_as_long_as_the_server_asks_and_tries_again(endpoint: Endpoint) -> None:
    endpoint.failures = [
        (429, {"Retry-After": "7"}, '{"error": {"message": "slow down"}}'),
        (500, {}, '{"error": {"message": "x"}}'),
    ]
    waits: list[float] = []
    assert embedder(endpoint, waits).embed(["text"]).shape == (1, 2)
    assert waits[0] == 7
    assert 0 <= waits[1] <= 1
    assert len(endpoint.bodies) == 3


def test_gives_up_after_the_last_attempt(endpoint: Endpoint) -> None:
    endpoint.failures = [(429, {}, '{"error": {"message": "slow down"}}')] * 9
    waits: list[float] = []
    with pytest.raises(RateLimited, match="text-embedding-3-small"):
        embedder(endpoint, waits, max_retries=2).embed(["text"])
    assert len(endpoint.bodies) == 3
    assert len(waits) == 2


def test_a_refusal_is_not_tried_again(endpoint: Endpoint) -> None:
    endpoint.failures = [(401, {}, '{"error": {"message": "bad key"}}')]
    with pytest.raises(Refused, match="bad key"):
        embedder(endpoint).embed(["text"])
    assert len(endpoint.bodies) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([], "0 vectors came back for 1 texts"),
        ([{"index": 0, "embedding": [0.0, 0.0]}], "zero or not finite"),
        ([{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0]}], "2 vectors came back"),
    ],
)
def test_answers_that_are_no_embedding_are_refused(endpoint: Endpoint, answer: object, message: str) -> None:
    endpoint.answer = answer
    with pytest.raises(BadResponse, match=message):
        embedder(endpoint, max_retries=0).embed(["text"])


def test_a_changed_dimension_is_refused(endpoint: Endpoint) -> None:
    with pytest.raises(BadResponse, match="2 dimensions, expected 3"):
        embedder(endpoint, dimensions=3).embed(["text"])


def test_nobody_listens() -> None:
    calls = Calls(max_retries=1, sleep=lambda _: None, timeout_s=5)
    with pytest.raises(Unavailable, match="Embedder .* at http://127.0.0.1:9/v1: "):
        LitellmEmbedder(NAME, api_base="http://127.0.0.1:9/v1", calls=calls).embed(["text"])


def test_a_hosted_model_needs_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingCredential, match="OPENAI_API_KEY"):
        LitellmEmbedder(NAME).embed(["text"])


def test_window_comes_from_the_table_or_is_assumed_small() -> None:
    assert LitellmEmbedder(NAME).max_tokens > 8000
    assert LitellmEmbedder("openai/some-model-of-our-own").max_tokens == 512


def test_identity_tells_configurations_apart() -> None:
    made = [
        LitellmEmbedder(NAME),
        LitellmEmbedder(NAME, api_base="http://127.0.0.1:1"),
        LitellmEmbedder(NAME, prefixes=("q", "")),
    ]
    assert len({each.identity for each in made}) == 3


@pytest.mark.parametrize(
    "text", ["Unbelievable prices, naïve buyers", "", "🙂🏽 done", "a\ud800b", "<|endoftext|>", "汉字 text"]
)
def test_tiktoken_offsets_cover_the_text(text: str) -> None:
    tokenizer = TiktokenTokenizer()
    spans = tokenizer.offsets(text)
    assert len(spans) == tokenizer.count(text)
    assert "".join(text[start:end] for start, end in dict.fromkeys(spans)) == text


class Account:
    """Takes what is paid; refuses once it is closed."""

    def __init__(self) -> None:
        self.paid: list[Usage] = []
        self.closed = False

    def check(self) -> None:
        if self.closed:
            raise KeyboardInterrupt

    def pay(self, usage: Usage, seconds: float) -> None:
        assert seconds > 0
        self.paid.append(usage)


def test_each_request_is_paid_and_a_closed_account_sends_none(endpoint: Endpoint) -> None:
    account = Account()
    paying = embedder(endpoint, account=account)
    paying.embed(["a", "b", "c", "d"])
    assert account.paid == [Usage(1, 0)] * 2
    endpoint.failures = [(500, {}, "broken")]
    paying.embed_queries(["why?"])
    assert len(account.paid) == 3
    account.closed = True
    with pytest.raises(KeyboardInterrupt):
        paying.embed(["e"])
    assert len(endpoint.bodies) == 4


def test_tokens_that_a_server_does_not_tell_are_counted(endpoint: Endpoint) -> None:
    account = Account()
    endpoint.usage = {"prompt_tokens": 0, "total_tokens": 0}
    embedder(endpoint, account=account).embed(["one two three"])
    assert account.paid == [Usage(TiktokenTokenizer().count("one two three"), 0, estimated=True)]
