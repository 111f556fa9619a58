"""Assertions of promptfoo as evaluators."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from llmops.domain.errors import LlmopsError

Entry = dict[str, Any]
"""One entry of a suite's or a case's `evaluators`: a kind and its options."""
NOT = "not-"
NO_COUNTERPART = "has no counterpart"
PROGRAM = "is a program; a Python function of yours can be an evaluator: `python: FILE.py:FUNCTION`"
_FIELD = re.compile(r"(?:JSON\.parse\(output\)|output)((?:\.\w+)*)")
"""A transform that takes an answer that is JSON, or one field of it."""
_TEMPLATE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


class LeftOut(LlmopsError):
    """Something that has no counterpart here; the message says why, or what comes closest."""


def templated(value: Any) -> bool:  # noqa: ANN401 -- any value of YAML
    """Whether a value holds templates."""
    return "{{" in str(value) or "{%" in str(value)


def filled(value: Any, vars: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- any value of YAML
    """A value whose templates name variables alone, with what those hold.

    Raises:
        LeftOut: a template does more than that.
    """
    if isinstance(value, list):
        return [filled(each, vars) for each in value]
    if isinstance(value, dict):
        return {key: filled(each, vars) for key, each in value.items()}
    if not isinstance(value, str):
        return value
    text = _TEMPLATE.sub(lambda match: str(vars[match[1]]) if match[1] in vars else match[0], value)
    if templated(text):
        raise LeftOut("has a template that is more than the name of a variable")
    return text


def keys_of(assertion: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of an assertion that are carried over."""
    kind = str(assertion.get("type", "")).removeprefix(NOT)
    limited = ("threshold",) if kind in _LIMITED else ()
    return (*_KEYS, *limited, *(("provider",) if kind in _JUDGED else ()))


def is_type(text: str, *, alone: bool = False) -> bool:
    """Whether a text is a type of assertion there, in a cell of a table that holds its value too, or it `alone`."""
    kind = text.removeprefix(NOT)
    return kind in _KINDS or kind in _OTHERS or (kind in _PROGRAMS and not alone)


def entry_of(assertion: Mapping[str, Any], judge: Callable[[], str]) -> Entry:
    """An assertion without templates as an entry of `evaluators`.

    Args:
        assertion: with `type` and its properties.
        judge: the name of the model that grades; called for a kind that asks one.

    Raises:
        LeftOut: it has no counterpart.
    """
    written = str(assertion.get("type", ""))
    asked = written.removeprefix(NOT)
    convert = _KINDS.get(asked)
    if convert is None:
        raise LeftOut(f"`{written}` {PROGRAM if asked in _PROGRAMS else NO_COUNTERPART}")
    kind, options = convert(assertion, judge)
    if (written != asked) != (asked == "is-refusal"):
        options["negate"] = True
    if "transform" in assertion:
        field = _FIELD.fullmatch(str(assertion["transform"]).strip())
        if field is None:
            raise LeftOut("has a `transform` that is a program; `of: /field` reads a field of an answer that is JSON")
        options |= {"of": field[1].replace(".", "/")} if field[1] else {}
    if isinstance(assertion.get("weight"), int | float) and assertion["weight"] != 1:
        options["weight"] = assertion["weight"]
    if name := re.sub(r"[^A-Za-z0-9_-]+", "-", str(assertion.get("metric") or "")).strip("-_")[:60]:
        options["name"] = name
    return {kind: options}


Options = tuple[str, dict[str, Any]]
Convert = Callable[[Mapping[str, Any], Callable[[], str]], Options]


def _value(assertion: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- any value of YAML
    value = assertion.get("value")
    if value in (None, ""):
        raise LeftOut(f"`{assertion['type']}` has no `value`")
    if isinstance(value, bool):
        raise LeftOut(f"its value is {json.dumps(value)} in YAML 1.1: put it in quotes")
    return value


def _several(assertion: Mapping[str, Any]) -> list[str]:
    """A list of texts, which may be written as one text with commas."""
    value = _value(assertion)
    return [str(each) for each in value] if isinstance(value, list) else [each.strip() for each in str(value).split(",")]


def _threshold(assertion: Mapping[str, Any], default: float | None = None) -> float:
    value = assertion.get("threshold", default)
    if not isinstance(value, int | float):
        raise LeftOut(f"`{assertion['type']}` has no `threshold`")
    return value


def _equals(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
    value = _value(assertion)
    if isinstance(value, dict | list):
        return "json-schema", {"schema": {"const": value}}
    return "equals", {"to": [str(value)]}


def _contains(key: str, *, one: bool, ignore_case: bool) -> Convert:
    def convert(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
        facts = [str(_value(assertion))] if one else _several(assertion)
        return "contains", {key: facts} if ignore_case else {key: facts, "ignore_case": False}

    return convert


def _regex(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
    pattern = str(_value(assertion))
    try:
        re.compile(pattern)
    except re.error as error:
        raise LeftOut(f"has a pattern that Python cannot read: {error}") from None
    return "regex", {"pattern": pattern}


def _starts_with(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
    return "regex", {"pattern": f"^{re.escape(str(_value(assertion)))}"}


def _json(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
    return "json-schema", {"schema": assertion.get("value") or {}}


def _similar(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
    value = _value(assertion)
    to = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    return "similarity", {"to": to, "min": _threshold(assertion, 0.75)}


def _overlap(metric: str, threshold: float) -> Convert:
    def convert(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
        return "overlap", {"to": [str(_value(assertion))], "metric": metric, "min": _threshold(assertion, threshold)}

    return convert


def _tool_calls(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
    return "tool-calls", {"to": _several(assertion), "arguments": "ignore", "min": _threshold(assertion, 1.0)}


def _at_most(kind: str, unit: float = 1.0) -> Convert:
    return lambda assertion, _: (kind, {"max": _threshold(assertion) * unit})


def _criteria(assertion: Mapping[str, Any], judge: Callable[[], str]) -> Options:
    value = _value(assertion)
    items = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    return "criteria", {"judge": judge(), "items": items, "min": 1}


def _factuality(assertion: Mapping[str, Any], judge: Callable[[], str]) -> Options:
    return "criteria", {"judge": judge(), "items": [f"It agrees with these facts: {_value(assertion)}"], "min": 1}


def _relevance(assertion: Mapping[str, Any], judge: Callable[[], str]) -> Options:
    return "answer-relevance", {"judge": judge(), "min": _threshold(assertion, 0.0)}


def _faithfulness(assertion: Mapping[str, Any], judge: Callable[[], str]) -> Options:
    return "hallucination", {"backend": f"judge:{judge()}", "max": 0.5}


def _context_relevance(assertion: Mapping[str, Any], judge: Callable[[], str]) -> Options:
    return "context-relevance", {"judge": judge(), "min": _threshold(assertion, 0.0)}


def _context_recall(assertion: Mapping[str, Any], judge: Callable[[], str]) -> Options:
    return "context-recall", {"judge": judge(), "points": [str(_value(assertion))], "min": _threshold(assertion, 0.0)}


def _refusal(assertion: Mapping[str, Any], _: Callable[[], str]) -> Options:
    return "over-refusal", {}


_KEYS = ("metric", "transform", "type", "value", "weight")
_JUDGED = {
    *("answer-relevance", "context-faithfulness", "context-recall", "context-relevance", "factuality", "g-eval", "llm-rubric"),
    *("model-graded-closedqa", "model-graded-factuality"),
}
"""Types whose `provider` grades."""
_LIMITED = {
    *("answer-relevance", "bleu", "context-recall", "context-relevance", "cost", "latency", "perplexity", "rouge-n", "similar"),
    "tool-call-f1",
}
"""Types whose `threshold` is a limit here, too."""
_PROGRAMS = ("javascript", "python", "ruby", "webhook")
_OTHERS = {
    *("contains-html", "contains-json", "contains-sql", "contains-xml", "gleu", "is-html", "is-sql"),
    *("is-xml", "levenshtein", "meteor", "moderation", "select-best"),
}
"""Types without a counterpart."""
_KINDS: Mapping[str, Convert] = {
    "equals": _equals,
    "contains": _contains("any", one=True, ignore_case=False),
    "icontains": _contains("any", one=True, ignore_case=True),
    "contains-any": _contains("any", one=False, ignore_case=False),
    "icontains-any": _contains("any", one=False, ignore_case=True),
    "contains-all": _contains("all", one=False, ignore_case=False),
    "icontains-all": _contains("all", one=False, ignore_case=True),
    "regex": _regex,
    "starts-with": _starts_with,
    "is-json": _json,
    "similar": _similar,
    "bleu": _overlap("bleu", 0.5),
    "rouge-n": _overlap("rouge-1", 0.75),
    "tool-call-f1": _tool_calls,
    "is-refusal": _refusal,
    "latency": _at_most("latency", 0.001),
    "cost": _at_most("cost"),
    "perplexity": _at_most("perplexity"),
    "llm-rubric": _criteria,
    "g-eval": _criteria,
    "model-graded-closedqa": _criteria,
    "factuality": _factuality,
    "model-graded-factuality": _factuality,
    "answer-relevance": _relevance,
    "context-faithfulness": _faithfulness,
    "context-relevance": _context_relevance,
    "context-recall": _context_recall,
}
