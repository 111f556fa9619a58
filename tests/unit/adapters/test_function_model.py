import asyncio
import json
import sys
import threading
import time
from pathlib import Path

import pytest

from llmops.adapters.function_model import FunctionModel
from llmops.domain.errors import FunctionFailed, ModelTimeout, Unavailable, UsageError
from llmops.domain.models import Completion, CompletionRequest, Usage
from llmops.domain.prompts import Message
from llmops.domain.retrieval import Hit
from llmops.settings.functions import find_function

REQUEST = CompletionRequest((Message("system", "Be brief."), Message("user", "Why?")), {"top": 2})


def model(root: Path, body: str, *, head: str = "def answer(request):") -> FunctionModel:
    (root / "app.py").write_text(f"{head}\n    {body}\n")
    return FunctionModel("python/app.py:answer", find_function("app.py:answer", root))


@pytest.fixture(autouse=True)
def _places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])


def asked(root: Path, body: str) -> Completion:
    return asyncio.run(model(root, body).complete(REQUEST))


def test_a_text_is_an_answer_of_which_nothing_else_is_known(tmp_path: Path) -> None:
    completion = asked(tmp_path, "return 'Because.'")
    assert (completion.text, completion.usage, completion.told_usd, completion.contexts) == ("Because.", None, None, ())


def test_it_sees_the_messages_and_the_parameters(tmp_path: Path) -> None:
    seen = (
        "{'messages': [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Why?'}], 'params': {'top': 2}}"
    )
    assert asked(tmp_path, "return repr(request)").text == seen


def test_an_answer_brings_its_passages_its_tokens_and_its_cost(tmp_path: Path) -> None:
    returned = (
        "{'text': 'x', 'contexts': ['one', {'text': 'two', 'source': 'a.md', 'heading': 'B'}], 'model': 'm', 'cost_usd': 0.5, "
        "'usage': {'input_tokens': 7, 'output_tokens': 3, 'cached_input_tokens': 2}}"
    )
    completion = asked(tmp_path, f"return {returned}")
    assert completion.contexts == (Hit("one", "application", given=True), Hit("two", "a.md", "B", given=True))
    assert (completion.usage, completion.told_usd, completion.model) == (Usage(7, 3, 2), 0.5, "m")


def test_tools_that_it_called_are_told_as_those_of_a_model(tmp_path: Path) -> None:
    call = {"name": "weather", "arguments": {"city": "Oslo"}}
    completion = asked(tmp_path, f"return {{'text': 'It rains.', 'tool_calls': [{call}, {{'name': 'stop'}}]}}")
    assert json.loads(completion.text) == {"text": "It rains.", "tool_calls": [call, {"name": "stop", "arguments": None}]}
    assert asked(tmp_path, "return {'text': 'It rains.', 'tool_calls': []}").text == "It rains."


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (
            "{'text': 'x', 'tool_calls': [{'name': 'a', 'arguments': {1, 2}}]}",
            "the function returned no answer: `tool_calls`: Object of type set is not JSON",
        ),
        ("{'text': 'x', 'tool_calls': ['a']}", "the function returned no answer: `tool_calls[0]`: should be a mapping of keys"),
        ("None", "the function returned None; a text, or a mapping with `text`, was expected"),
        ("3", "the function returned 3; "),
        ("''", "the function returned no answer: `text`: should have at least 1 character"),
        ("{}", "the function returned no answer: `text`: is missing"),
        ("{'text': 'x', 'context': []}", "the function returned no answer: `context`: unknown key. Did you mean `contexts`?"),
        ("{'text': 'x', 'contexts': [3]}", "the function returned no answer: `contexts[0]`: "),
        ("{'text': 'x', 'usage': {'input_tokens': 1}}", "the function returned no answer: `usage.output_tokens`: is missing"),
        ("{'text': 'x', 'cost_usd': -1}", "the function returned no answer: `cost_usd`: should be greater than or equal to 0"),
        ("{'text': 'x', 'cost_usd': float('nan')}", "the function returned no answer: `cost_usd`: should be a finite number"),
        ("'\\ud800'", "the function returned no answer: `text`: "),
    ],
)
def test_what_is_no_answer_is_told(tmp_path: Path, returned: str, told: str) -> None:
    with pytest.raises(FunctionFailed) as raised:
        asked(tmp_path, f"return {returned}")
    assert raised.value.message.startswith(told)
    assert not raised.value.retryable


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        ("KeyError('plan')", FunctionFailed),
        ("SystemExit(3)", FunctionFailed),
        ("TimeoutError('slow')", ModelTimeout),
        ("ConnectionResetError('gone')", Unavailable),
    ],
)
@pytest.mark.parametrize("head", ["def answer(request):", "async def answer(request):"])
def test_what_it_raises_fails_the_call_and_names_the_line(tmp_path: Path, raised: str, kind: type, head: str) -> None:
    with pytest.raises(kind) as error:
        asyncio.run(model(tmp_path, f"raise {raised}", head=head).complete(REQUEST))
    assert str(error.value).endswith("(app.py:2)")


def test_an_exception_that_no_task_may_raise_fails_the_call(tmp_path: Path) -> None:
    with pytest.raises(FunctionFailed, match=r"StopIteration: end \(app.py:2\)"):
        asked(tmp_path, "raise StopIteration('end')")


def test_calls_run_beside_each_other_and_one_that_hangs_keeps_nothing_waiting(tmp_path: Path) -> None:
    body = "import time; time.sleep(30 if request['params'] else 0.2); return 'done'"

    async def both() -> list[str]:
        slow = model(tmp_path, body)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await slow.complete(REQUEST)
        quick = CompletionRequest(REQUEST.messages)
        return [answer.text for answer in await asyncio.gather(*(slow.complete(quick) for _ in range(20)))]

    began = time.perf_counter()
    assert asyncio.run(both()) == ["done"] * 20
    assert time.perf_counter() - began < 20
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "llmops-function")


def test_its_file_runs_when_it_is_asked_and_not_before(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("raise RuntimeError('no database')\ndef answer(request): ...\n")
    made = FunctionModel("python/app.py:answer", find_function("app.py:answer", tmp_path))
    assert made.identity.startswith("python/app.py:answer|")
    with pytest.raises(UsageError, match="'app.py' cannot be loaded: RuntimeError: no database."):
        asyncio.run(made.complete(REQUEST))


DECORATED = "def timed(function):\n    return lambda request: function(request)\n\n@timed\nasync def answer(request):"
OBJECT = "class App:\n    async def __call__(self, request):\n        return await after(request)\n\nanswer = App()\n"


@pytest.mark.parametrize("head", [DECORATED, f"{OBJECT}async def after(request):"])
def test_one_that_is_async_behind_something_else_is_awaited(tmp_path: Path, head: str) -> None:
    body = "import asyncio; await asyncio.sleep(0.05); return 'Because.'"
    completion = asyncio.run(model(tmp_path, body, head=head).complete(REQUEST))
    assert completion.text == "Because."
    assert completion.latency_s >= 0.05
