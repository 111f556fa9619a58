"""Models write for queries before a search: other wordings of them, and made-up passages that would answer them (HyDE)."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import Field

from llmops.domain.cases import History
from llmops.domain.errors import BadResponse, ModelError, UsageError
from llmops.domain.keys import canonical, node_key
from llmops.domain.models import Completion, CompletionRequest
from llmops.domain.queries import Query, Written
from llmops.domain.records import record
from llmops.domain.runs import Node
from llmops.domain.scores import JudgeUse
from llmops.domain.serial import completions_from_json
from llmops.evaluation.endpoints import together
from llmops.evaluation.judging.judges import Judges, readable, request_with, use_of
from llmops.evaluation.judging.prompts import not_given
from llmops.evaluation.judging.replies import Reply, Unreadable, read_reply
from llmops.evaluation.planning import Target
from llmops.evaluation.spending import PaidCaller
from llmops.prompting.template import PromptVersion, parse_prompt
from llmops.settings.retrieval import RetrieveSettings

REWRITE_VERSION = 1
FOLDER = "data/queries"
GIVEN = ("question", "count", "history")
"""What a prompt may use: the query, how many wordings of it are wanted, and the conversation before it."""
QUERY_CHARACTERS = 400
"""Of a wording, at most."""
PASSAGE_CHARACTERS = 4000
"""Of a made-up passage, at most; an embedder reads less."""

Kind = Literal["rewrite", "hyde"]


class Wordings(Reply):
    """Other wordings of a query."""

    queries: Annotated[list[str], Field(min_length=1)]


@record
class Writing:
    """One thing that a model writes for each query."""

    kind: Kind
    target: Target
    prompt: PromptVersion
    count: int
    """Wordings of one reply, at most; or passages, each by a call of its own."""

    @property
    def identity(self) -> str:
        """Changes whenever the same query could get other texts."""
        model = self.target.model.identity if self.target.model else ""
        return canonical([self.kind, model, dict(self.target.params), self.prompt.hash, self.count])

    def asks(self, text: str, history: History) -> "Iterator[Ask]":
        """The calls for one query, and the conversation before it.

        Raises:
            TemplateError: the prompt cannot be rendered.
        """
        request = request_with(self.target, self.prompt, {"question": text, "count": self.count, "history": list(history)})
        for sample in range(self.count if self.kind == "hyde" else 1):
            inputs = {
                "model": self.target.model.identity if self.target.model else "",
                "params": dict(request.params),
                "messages": [message.keyed() for message in request.messages],
                "kind": self.kind,
                "sample": sample,
            }
            yield Ask(self, text, replace(request, sample=sample), node_key("rewrite", REWRITE_VERSION, inputs))


@record
class Ask:
    """One call, and how its reply is read."""

    writing: Writing
    text: str
    """The query."""
    request: CompletionRequest
    key: str

    def read(self, reply: str) -> tuple[str, ...]:
        """The texts of a reply, cut to their bounds and without characters that cannot be seen; none says the query again.

        Raises:
            Unreadable: it holds none.
        """
        if self.writing.kind == "hyde":
            passage = _line(reply, PASSAGE_CHARACTERS)
            if not passage:
                raise Unreadable("holds no text")
            return (passage,)
        found = [_line(each, QUERY_CHARACTERS) for each in read_reply(reply, Wordings).queries]
        if not any(found):
            raise Unreadable("`queries`: holds no text")
        new: dict[str, str] = {}
        for each in found:
            if each and each.casefold() != self.text.casefold():
                new.setdefault(each.casefold(), each)
        return tuple(new.values())[: self.writing.count]

    async def answered(self, caller: PaidCaller) -> tuple[Completion, ...]:
        """As `readable`."""
        return await readable(caller, self.request, self.read, [])


class Rewriter:
    """Implements `AskWriter`: the calls are those of a run, with its limits, its cache and its price."""

    def __init__(self, writings: Sequence[Writing], judges: Judges) -> None:
        self._writings = tuple(writings)
        self._judges = judges

    @property
    def identity(self) -> str:
        """As the port."""
        return canonical([REWRITE_VERSION, *(each.identity for each in self._writings)])

    @property
    def targets(self) -> tuple[Target, ...]:
        """As the port."""
        return tuple(each.target for each in self._writings)

    def keys(self, text: str, history: History = ()) -> dict[str, str]:
        """As the port."""
        return {ask.key: ask.writing.target.name for ask in self._asks(text, history)}

    def read(self, text: str, history: History, nodes: Mapping[str, Node], run: str) -> Written | None:
        """As the port."""
        asks = self._asks(text, history)
        if any(ask.key not in nodes for ask in asks):
            return None
        found = [nodes[ask.key].read(completions_from_json) for ask in asks]
        try:
            return _written(text, asks, found, [nodes[ask.key].run == run for ask in asks])
        except Unreadable:  # it came from another store
            return None

    async def __call__(self, text: str, history: History = ()) -> Written:
        """As the port."""
        asks = self._asks(text, history)
        found = await together(self._answer(ask) for ask in asks)
        return _written(text, asks, [each for each, _ in found], [asked for _, asked in found])

    def _asks(self, text: str, history: History) -> list[Ask]:
        return [ask for writing in self._writings for ask in writing.asks(text, history)]

    async def _answer(self, ask: Ask) -> tuple[tuple[Completion, ...], bool]:
        what = "no other wording" if ask.writing.kind == "rewrite" else "no passage"
        failed = f"{what} of the query by {ask.writing.target.name!r}"
        try:
            completions, asked = await self._judges.complete(ask.writing.target, ask.key, ask.answered, "rewrite")
            ask.read(completions[-1].text)
            return completions, asked
        except ModelError as error:
            told = type(error)(f"{failed}: {error.message}", retry_after_s=error.retry_after_s, hint=error.hint)
            told.attempts = error.attempts
            raise told from error
        except Unreadable as error:
            raise BadResponse(f"{failed}: the reply {error}") from None


def writings_of(
    settings: RetrieveSettings, model: Callable[[str], Target], prompt: Callable[[str], PromptVersion]
) -> list[Writing]:
    """What `retrieve:` of an index has written for each query.

    Args:
        settings: of the index.
        model: from a name to the model.
        prompt: from a reference to a prompt of the project.

    Raises:
        UsageError: no such model or prompt, or a prompt that needs values which it is not given.
    """
    found: list[Writing] = []
    if settings.rewrite is not None:
        own = settings.rewrite
        found.append(Writing("rewrite", model(own.model), _prompt(own.prompt, "rewrite", prompt), own.queries))
    if settings.hyde is not None:
        made = settings.hyde
        found.append(Writing("hyde", model(made.model), _prompt(made.prompt, "hyde", prompt), made.documents))
    return found


def _prompt(reference: str | None, kind: Kind, project: Callable[[str], PromptVersion]) -> PromptVersion:
    """The project's prompt, else ours."""
    if reference is None:
        return _shipped(kind)
    version = project(reference)
    unknown = not_given(version, GIVEN)
    if unknown:
        found = f"`{kind}`: the prompt {reference!r} uses `{unknown[0]}`, which it is not given."
        raise UsageError(found, hint="It is given `question`, `count` and `history`.")
    if "question" not in version.used_variables:
        raise UsageError(f"`{kind}`: the prompt {reference!r} does not use `question`, which holds the query.")
    return version


@cache
def _shipped(kind: Kind) -> PromptVersion:
    text = files("llmops").joinpath(FOLDER).joinpath(f"{kind}.j2").read_text("utf-8")
    return parse_prompt(text, file=f"llmops/{FOLDER}/{kind}.j2", shared={}, name=kind)


def _written(text: str, asks: Sequence[Ask], found: Sequence[Sequence[Completion]], now: Sequence[bool]) -> Written:
    """Of all replies."""
    texts: dict[Kind, list[str]] = {"rewrite": [], "hyde": []}
    use, seconds = JudgeUse(), 0.0
    for ask, completions, asked in zip(asks, found, now, strict=True):
        texts[ask.writing.kind] += ask.read(completions[-1].text)
        use += use_of(ask.writing.target, completions, asked=asked)
        seconds = max(seconds, sum(each.latency_s for each in completions))
    return Written(Query(text, tuple(texts["rewrite"]), tuple(texts["hyde"])), use, seconds)


def _line(text: str, longest: int) -> str:
    """One line without characters that cannot be seen, cut to its bound."""
    seen = "".join(c for c in text[: 4 * longest] if c.isspace() or not unicodedata.category(c).startswith("C"))
    return " ".join(seen.split())[:longest].strip()
