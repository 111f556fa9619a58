"""The space of a sweep: for settings of an index the values to try."""

import random
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from llmops.domain.errors import InvalidFiles
from llmops.domain.records import record
from llmops.settings.files import read_text, shown
from llmops.settings.indexes import ChunkerSettings, EmbedderSettings, IndexSettings
from llmops.settings.positions import Positions, parse_yaml
from llmops.settings.retrieval import RetrieveSettings
from llmops.settings.validation import Strict, nearest, told, validated

SECTIONS: dict[str, type[BaseModel]] = {"chunker": ChunkerSettings, "embedder": EmbedderSettings, "retrieve": RetrieveSettings}
MAX_COMBINATIONS = 2_000
Values = dict[str, Any]


class SpaceSettings(Strict):
    """A mapping of each section gives a value or a list of values per key; a list of mappings gives alternatives."""

    chunker: Values | list[Values] = {}
    embedder: Values | list[Values] = {}
    retrieve: Values | list[Values] = {}


DEFAULT = SpaceSettings(chunker={"kind": ["markdown", "recursive", "sentences"], "max_tokens": [120, 240], "overlap": [0, 32]})


@record
class Space:
    """Settings to try, and what was left out of the grid."""

    settings: tuple[IndexSettings, ...]
    """Distinct; those with the same chunker and embedder follow each other."""
    left_out: tuple[str, ...]
    """Combinations that are no valid index, with the reason."""
    open_k: bool
    """The space does not say how many hits a prompt gets."""


def read_space(path: Path, root: Path) -> tuple[SpaceSettings, Positions]:
    """A space from a YAML file.

    Raises:
        InvalidFiles: it is no space, or names a key that no index has.
    """
    data, positions = parse_yaml(read_text(path, root), shown(path, root))
    return validated(SpaceSettings, data, positions), positions


def combinations(
    space: SpaceSettings, base: IndexSettings, positions: Positions, *, trials: int | None = None, seed: int = 0
) -> Space:
    """The settings of `base` with each combination of values, or with `trials` of them, drawn at random.

    Raises:
        InvalidFiles: an unknown key, no valid combination, or more combinations than anybody waits for.
    """
    grids = {section: list(_grid(getattr(space, section), section, positions)) for section in SECTIONS}
    size = 1
    for alternatives in grids.values():
        size *= len(alternatives)
    if size > MAX_COMBINATIONS and trials is None:
        hint = "Leave values out, or draw some at random: --trials 50"
        raise InvalidFiles(
            [positions.problem((), f"spans {size} combinations; at most {MAX_COMBINATIONS} are tried.", hint=hint)]
        )
    # The budget of a sweep stands in for the base's own, which a larger chunk might not fit.
    plain = base.model_dump(mode="json", exclude_unset=True, exclude={"retrieve": {"max_tokens"}})
    found: dict[str, IndexSettings] = {}
    left_out: dict[str, None] = {}
    for chosen in _drawn(list(product(*grids.values())) if size <= 100_000 else _some(grids, seed), trials, seed):
        merged = {**plain, **{s: {**plain.get(s, {}), **values} for s, values in zip(SECTIONS, chosen, strict=True) if values}}
        try:
            settings = IndexSettings.model_validate(merged)
            found.setdefault(settings.model_dump_json(), settings)
        except ValidationError as error:
            left_out[_told(error)] = None
    if not found:
        raise InvalidFiles([positions.problem((), f"holds no valid combination: {next(iter(left_out))}.")])
    together = sorted(found.values(), key=lambda each: (each.embedder.model_dump_json(), each.chunker.model_dump_json()))
    open_k = not any("k" in values for values in grids["retrieve"])
    return Space(tuple(together), tuple(left_out), open_k)


def _grid(section: Values | list[Values], name: str, positions: Positions) -> Iterator[Values]:
    """Every combination of a section's values."""
    fields = SECTIONS[name].model_fields
    for number, values in enumerate((section if isinstance(section, list) else [section]) or [{}]):
        for key in values:
            if key not in fields:
                at = (name, number, key) if isinstance(section, list) else (name, key)
                raise InvalidFiles([positions.problem(at, "unknown key.", hint=nearest(key, fields))])
        lists = [value if isinstance(value, list) else [value] for value in values.values()]
        for chosen in product(*lists):
            yield dict(zip(values, chosen, strict=True))


def _some(grids: Mapping[str, list[Values]], seed: int) -> list[tuple[Values, ...]]:
    draw = random.Random(seed)
    return [tuple(draw.choice(alternatives) for alternatives in grids.values()) for _ in range(MAX_COMBINATIONS)]


def _drawn(all_of_them: list[tuple[Values, ...]], trials: int | None, seed: int) -> list[tuple[Values, ...]]:
    if trials is None or trials >= len(all_of_them):
        return all_of_them
    return random.Random(seed).sample(all_of_them, trials)


def _told(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_context=True)[0]
    place = ".".join(str(part) for part in detail["loc"])
    message, _ = told(IndexSettings, detail, detail["loc"])
    return f"{place}: {message.removesuffix('.')}".removeprefix(": ")
