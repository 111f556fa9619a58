"""llmops.yaml is read strictly, and the nearest one above is the project."""

from pathlib import Path

import pytest

from llmops.domain.errors import InvalidFiles, UsageError
from llmops.settings.project import find_root, load_project

INDEX = "models: {{m: {{id: x/y}}}}\nindexes: {{i: {{corpus: {{paths: ['*.md']}}, embedder: {{{}}}}}}}\n"


def refused(folder: Path, text: str) -> str:
    (folder / "llmops.yaml").write_text(text)
    with pytest.raises(InvalidFiles) as caught:
        load_project(folder)
    return "\n".join(f"{p.line} {p.key} {p.message} {p.hint or ''}" for p in caught.value.problems)


def test_the_nearest_file_above_is_the_project(tmp_path: Path) -> None:
    (tmp_path / "llmops.yaml").write_text("models:\n  small: {id: embedded/reader-small}\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_root(tmp_path / "a" / "b") == tmp_path
    assert load_project(tmp_path).model("small").embedded


def test_without_a_file_the_next_step_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find_root(tmp_path)
    assert "llmops init" in str(caught.value.hint)


def test_a_file_with_the_other_suffix_is_told(tmp_path: Path) -> None:
    (tmp_path / "llmops.yml").write_text("models:\n  small: {id: embedded/reader-small}\n")
    with pytest.raises(UsageError) as caught:
        find_root(tmp_path)
    assert caught.value.hint == "There is an llmops.yml: rename it."


def test_a_target_that_is_an_id_is_told_to_take_a_name(tmp_path: Path) -> None:
    (tmp_path / "llmops.yaml").write_text("models:\n  small: {id: embedded/reader-small}\n")
    with pytest.raises(UsageError) as caught:
        load_project(tmp_path).is_route("openai/gpt-4o-mini")
    assert caught.value.hint == "Give it a name under `models` of llmops.yaml, such as `mine: {id: openai/gpt-4o-mini}`."


def test_an_unknown_name_tells_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "llmops.yaml").write_text("models:\n  small: {id: embedded/reader-small}\n")
    project = load_project(tmp_path)
    with pytest.raises(UsageError) as caught:
        project.model("smal")
    assert caught.value.hint == "Did you mean `small`?"
    with pytest.raises(UsageError, match="No index"):
        project.index("manual")


@pytest.mark.parametrize("text", ["", "# models:\n", "{}", "store: sqlite:///x.db"])
def test_a_project_may_have_no_model(tmp_path: Path, text: str) -> None:
    (tmp_path / "llmops.yaml").write_text(text)
    project = load_project(tmp_path)
    for ask in (project.model, project.is_route):
        with pytest.raises(UsageError) as caught:
            ask("m")
        assert caught.value.hint == "Write one under `models:` of llmops.yaml."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models:\n  m: {id: embedded/reader-huge}\n", "is not an embedded reader"),
        ("models:\n  m: {id: x/y, price: {input_per_million: 1}}\n", "output_per_million"),
        ("models:\n  m: {id: x/y, price: {input_per_million: 1, output_per_million: 1, usd_per_hour: 1}}\n", "both"),
        ("models:\n  m: {id: x/y, price: {usd_per_hour: -1}}\n", "usd_per_hour"),
        (
            "models:\n  m: {id: x/y, price: {usd_per_hour: 1, batch: {input_per_million: 1, output_per_million: 1}}}\n",
            "has `batch`, which is a price per token, and `usd_per_hour`",
        ),
        (INDEX.format("kind: litellm, name: x/y, price: {}"), "needs either `input_per_million` or `usd_per_hour`"),
        (INDEX.format("kind: minilm, price: {usd_per_hour: 1}"), "has a `price`, which kind 'minilm' does not take"),
        (
            "models:\n  'a b': {id: x/y}\n",
            "2 models.a b should be letters, digits, `.`, `_` and `-`, a letter or a digit first; found 'a b'",
        ),
        ("models:\n  m: {id: x/y, timeout_s: 0}\n", "timeout_s"),
        ("models:\n  m: {id: x/y, timeout_s: .inf}\n", "2 models.m.timeout_s should be a finite number"),
        ("models:\n  m: {id: x/y, transport: fast}\n", "transport"),
        ("models:\n  m: {id: embeded/reader-large}\n", "2 models.m `id` 'embeded/reader-large' is not an embedded reader"),
        ("models:\n  m: {id: x/y, api_base: 'localhost:8099/v1'}\n", "2 models.m.api_base should be an address such as http:"),
        ("models:\n  m: {id: x/y, api_base: 'http://h:99999/v1'}\n", "2 models.m.api_base should be an address such as http:"),
        (
            "models:\n  m: {id: x/y, api_base: 'http://u:pw@host/v1'}\n",
            "2 models.m.api_base should hold no user and no",
        ),
        (
            "models:\n  m: {id: x/y, api_base: 'http://h/v1/chat/completions'}\n",
            "2 models.m.api_base should end before `/chat/completions`, which is added to it; found 'http://h/v1/chat",
        ),
        ("models:\n  m: {id: x/y, params: {temperature: .nan}}\n", "2 models.m.params `temperature` is nan, which JSON cannot"),
        (
            "models:\n  m: embedded/reader-small\n",
            "2 models.m should be a mapping of keys; found 'embedded/reader-small'. As in `{id: ...}`.",
        ),
        ("models:\n  m: {id: x/y, temperature: 0}\n", "2 models.m.temperature unknown key. Did you mean `params`?"),
        ("models:\n  m: {id: x/y, base_url: 'http://h'}\n", "2 models.m.base_url unknown key. Did you mean `api_base`?"),
        ("providers: [openai:gpt-4o-mini]\n", "1 providers unknown key. Did you mean `models`?"),
        (
            "models:\n  m: {id: x/y}\nindexes:\n  i: {corpus: {paths: '**/*.md'}, retrieve: {top_k: 3}}\n",
            "4 indexes.i.corpus.paths should be a list; found '**/*.md'. Did you mean `[\"**/*.md\"]`?\n"
            "4 indexes.i.retrieve.top_k unknown key. Did you mean `k`?",
        ),
        (
            "models:\n  m: {id: x/y}\n  n: {id: x/z}\nroutes:\n  r: {kind: fallback, models: [m, o]}\n",
            "5 routes.r.models[1] names the model 'o', which `models` does not have. Valid: `m`, `n`.",
        ),
        (
            "models:\n  m: {id: x/y}\nroutes:\n  r: {kind: fixed, model: mm}\n",
            "4 routes.r names the model 'mm', which `models` does not have. Did you mean `m`?",
        ),
        (
            "models:\n  m: {id: x/y}\nroutes:\n  r: [m, m]\n",
            "4 routes.r should be a mapping of keys; found a list of 2. As in `{kind: ...}`.",
        ),
        ("models:\n  m: {id: x/y}\nroutes:\n  m: {kind: fixed, model: m}\n", "4 routes.m a model is called 'm', too."),
        ("models:\n  m: {id: x/y}\nstore: mysql://x\n", "3 store is neither a SQLite file nor a PostgreSQL server"),
        (
            "models:\n  m: {id: x/y}\nindexes:\n  i: {corpus: {paths: [a]}, retrieve: {dense_weight: .inf}}\n",
            "4 indexes.i.retrieve.dense_weight should be a finite number",
        ),
        (
            "models:\n  m: {id: x/y}\n  n: {id: x/z}\nroutes:\n  r: {kind: ab, shares: {m: 1, n: .inf}}\n",
            "5 routes.r.shares.n should be a finite number",
        ),
        ("models:\n  m: {id: x/y}\nindexes:\n  i: {corpus: {}}\n", "exactly one of"),
        ("models:\n  m: {id: x/y}\nindexes:\n  i: {corpus: {paths: ['../*.md']}}\n", "inside the project"),
        (
            "models: {a: {id: x/y}}\nroutes: {r: {kind: cascade, models: [a]}}\n",
            "routes.r.models should have at least 2 items; found a list of 1",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_it_is_tried(tmp_path: Path, text: str, told: str) -> None:
    assert told in refused(tmp_path, text)


@pytest.mark.parametrize(
    "route",
    [
        "kind: fallback",
        "kind: cascade, agreement: 0.6",
        "kind: bandit, checks: [refusal]",
        "kind: learned, router: routes/learned",
        "kind: length, characters: 9",
        "kind: budget, usd: 1",
        "kind: canary, percent: 5",
        "kind: shadow",
    ],
)
def test_a_route_names_each_model_once(tmp_path: Path, route: str) -> None:
    text = f"models:\n  m: {{id: x/y}}\n  n: {{id: x/z}}\nroutes:\n  r: {{{route}, models: [%s]}}\n"
    assert refused(tmp_path, text % "m, m").startswith("5 routes.r.models names the model 'm' twice")
    (tmp_path / "llmops.yaml").write_text(text % "m, n")
    assert load_project(tmp_path).route("r").models == ["m", "n"]


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ("{api_key: sk-written-1234567890}", "params.api_key"),
        ("{temperature: 0, aws_secret_access_key: sk-written-1234567890}", "params.aws_secret_access_key"),
        ("{extra_headers: {Authorization: Bearer sk-written-1234567890}}", "params.extra_headers"),
        ("{extra: [{X-Api-Key: sk-written-1234567890}]}", "params.extra"),
    ],
)
def test_a_credential_among_the_parameters_is_refused_and_not_shown(tmp_path: Path, params: str, key: str) -> None:
    told = refused(tmp_path, f"models:\n  gpt: {{id: openai/gpt-4o-mini}}\n  mine: {{id: openai/m, params: {params}}}\n")
    assert told.startswith(f"3 models.mine.{key} ")
    assert "`api_key_env`" in told
    assert "written" not in told.replace("not written into", "")


@pytest.mark.parametrize("key", ["sk-written-1234567890", "Bearer written", "$OPENAI_API_KEY", ""])
def test_a_key_where_the_name_of_its_variable_was_expected_is_refused_and_not_shown(tmp_path: Path, key: str) -> None:
    told = refused(tmp_path, f"models:\n  gpt: {{id: openai/gpt-4o-mini, api_key_env: '{key}'}}\n")
    assert told.startswith("2 models.gpt `api_key_env` is the name of the environment variable that holds the key")
    assert "written" not in told


def test_an_address_among_the_parameters_is_sent_to_the_models_own_key(tmp_path: Path) -> None:
    told = refused(tmp_path, "models:\n  m: {id: openai/m, params: {base_url: http://127.0.0.1:9/v1}}\n")
    assert told.startswith("2 models.m.params.base_url says where the calls go: write it as the model's own `api_base`")


def test_parameters_that_only_sound_like_credentials_pass(tmp_path: Path) -> None:
    params = "{max_tokens: 5, stop_token_ids: [1], eos_token: x, prompt_cache_key: y, secretly: 1}"
    (tmp_path / "llmops.yaml").write_text(f"models:\n  m: {{id: openai/m, params: {params}}}\n")
    assert len(load_project(tmp_path).model("m").params) == 5
