"""What differs between the configurations of two runs, in words."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from llmops.domain.words import many

Snapshot = Mapping[str, Any]
"""As `Plan.snapshot`, in part when an older llmops has recorded it."""
Label = Callable[[str, str], str]
"""From a prompt's reference and content hash to what people call it."""

SHOWN = 40
"""Characters of a value that are shown."""


def short(_reference: str, content_hash: str) -> str:
    """A prompt's text by the beginning of its hash."""
    return content_hash[:12]


def changes(before: Snapshot, after: Snapshot, label: Label = short) -> Iterator[str]:
    """Every difference, one line each."""
    if before.get("suite") != after.get("suite"):
        yield f"suite: {before.get('suite')} → {after.get('suite')}"
    for by_name in (prompts(before, after, label), targets(before, after), evaluators(before, after)):
        yield from by_name.values()
    yield from filter(None, (dataset(before, after), index(before, after), code(before, after)))
    if before.get("repeat") != after.get("repeat"):
        yield f"repeat: {before.get('repeat')} → {after.get('repeat')}"
    if (old := before.get("price_table")) != (new := after.get("price_table")) and old and new:
        yield f"price table: {old} → {new}"
    if _variables(before) != _variables(after):
        yield "variables set by --var"


def prompts(before: Snapshot, after: Snapshot, label: Label = short) -> dict[str, str]:
    """By reference: how the prompt differs. A lone prompt is held against a lone one, whatever their versions."""
    old, new = before.get("prompts", {}), after.get("prompts", {})
    found: dict[str, str] = {}
    for reference, content in new.items():
        known = reference if reference in old else next((each for each in old if _name(each) == _name(reference)), None)
        if known is None or (known != reference and known in new):
            found[reference] = f"prompt `{reference}` is new"
        elif old[known] != content:
            found[reference] = f"prompt `{_name(reference)}` {label(known, old[known])} → {label(reference, content)}"
    gone = {each: f"prompt `{each}` is gone" for each in old if _name(each) not in map(_name, new)}
    return found | gone


def targets(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """By name: how a model or a route differs."""
    old, new = before.get("targets", {}), after.get("targets", {})
    routes = {name for side in (old, new) for name, facts in side.items() if "route" in facts}
    models = (old.keys() | new.keys()) - routes

    def among(names: set[str], side: Snapshot) -> Snapshot:
        return {name: side[name] for name in side if name in names}

    found = _each("model", among(models, old), among(models, new), _target)
    return found | _each("route", among(routes, old), among(routes, new), lambda *_: "its policy, models or checks")


def evaluators(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """By name: how an evaluator differs, in what it computes or in what passes."""
    return _each("evaluator", before.get("evaluators", {}), after.get("evaluators", {}), _evaluator)


def dataset(before: Snapshot, after: Snapshot) -> str:
    """How the cases differ; empty when they do not."""
    old, new = before.get("dataset", {}), after.get("dataset", {})
    if old.get("hash") == new.get("hash") and old.get("cases") == new.get("cases"):
        return ""
    sizes = f"{old.get('cases')} → {many(new.get('cases') or 0, 'case')}"
    return f"dataset {new.get('path')}: {sizes}{', content changed' if old.get('hash') != new.get('hash') else ''}"


def index(before: Snapshot, after: Snapshot) -> str:
    """How retrieval differs; empty when it does not."""
    if before.get("index") == after.get("index"):
        return ""
    old, new = before.get("retrieval") or {}, after.get("retrieval") or {}
    if not old or not new:
        return "index changed"
    found = [each for part in new if old.get(part) != new[part] for each in _parts(part, old.get(part), new[part])]
    return f"index `{new.get('name')}`: {', '.join(found) or 'the code that builds or searches it'}"


def code(before: Snapshot, after: Snapshot) -> str:
    """Which steps a new version of llmops does in another way; empty for none."""
    old, new = before.get("code", {}), after.get("code", {})
    found = [step for step in new if step in old and old[step] != new[step]]
    versions = f"llmops {before.get('tool', '?')} → {after['tool']}" if "tool" in after else "another llmops"
    return f"{versions}: the code of {', '.join(found)}" if found else ""


def _name(reference: str) -> str:
    return reference.partition("@")[0]


def _variables(snapshot: Snapshot) -> object:
    return snapshot.get("selection", {}).get("variables", {})


def _each(what: str, old: Snapshot, new: Snapshot, how: Callable[[Any, Any], str]) -> dict[str, str]:
    found = {name: f"{what} `{name}` is new" for name in new if name not in old}
    found |= {name: f"{what} `{name}` is gone" for name in old if name not in new}
    for name in new:
        if name in old and old[name] != new[name]:
            found[name] = f"{what} `{name}`: {how(old[name], new[name])}"
    return found


def _target(old: Snapshot, new: Snapshot) -> str:
    found = list(_parts("params", old.get("params"), new.get("params")))
    before, after = str(old.get("model")), str(new.get("model"))
    if before != after:
        found.insert(0, "its code" if _asked_of(before) == _asked_of(after) else f"{_asked_of(before)} → {_asked_of(after)}")
    if old.get("price") != new.get("price"):
        found.append("price")
    return ", ".join(found)


def _asked_of(model: str) -> str:
    """What an identity says is asked: a model and its address, or a function of the user's without the hash of its code."""
    return model.partition("|")[0] if model.startswith("python/") else model.strip("|")


def _evaluator(old: Snapshot, new: Snapshot) -> str:
    found = [f"`{key}`" for key in _differing(old.get("common"), new.get("common"))]
    if old.get("identity") != new.get("identity"):
        found += _identity(str(old.get("identity")), str(new.get("identity")))
    return ", ".join(found)


def recomputed(before: Snapshot, after: Snapshot, name: str) -> str:
    """Why an evaluator of both runs has to measure again; empty when it has not."""
    old, new = (side.get("evaluators", {}).get(name, {}).get("identity") for side in (before, after))
    return f"evaluator `{name}`: {', '.join(_identity(old, new))}" if old and new and old != new else ""


def _identity(old: str, new: str) -> list[str]:
    """What differs between two identities as `evaluators.base.identity` makes them."""
    try:
        (_, version, options, *parts), (_, new_version, new_options, *new_parts) = json.loads(old), json.loads(new)
    except (ValueError, TypeError):
        return ["what it computes"]
    found = [f"`{key}`" for key in _differing(options, new_options)]
    if version != new_version:
        found.append("its code")
    if parts != new_parts and not found:
        judged = any(part.startswith("[") for text in new_parts for part in text.split("\n"))
        found += _asked("\n".join(parts), "\n".join(new_parts)) if judged else ["its detector, embedder or file"]
    return found


def _asked(old: str, new: str) -> list[str]:
    """Of an evaluator with judges: lines that open with `[` are models, the others hashes of prompts."""
    sides = [text.split("\n") for text in (old, new)]
    models, texts = ([[line for line in side if line.startswith("[") is model] for side in sides] for model in (True, False))
    return [what for what, (a, b) in (("judge prompt", texts), ("judge model", models)) if a != b]


def _differing(old: Any, new: Any) -> list[str]:  # noqa: ANN401 -- parts of a snapshot
    old, new = old or {}, new or {}
    return [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key)]


def _parts(what: str, old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401 -- parts of a snapshot
    """`temperature 0 → 1`, for a mapping key by key; a content hash is only said to have changed."""
    if isinstance(old, Mapping) or isinstance(new, Mapping):
        for key in _differing(old, new):
            yield from _parts(key, (old or {}).get(key), (new or {}).get(key))
        return
    shown = ["unset" if value is None else str(value) for value in (old, new)]
    yield what if max(map(len, shown)) > SHOWN or what == "documents" else f"{what} {shown[0]} → {shown[1]}"
