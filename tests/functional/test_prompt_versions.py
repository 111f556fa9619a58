"""A prompt's way through versions, gates and labels in a git repository, as two colleagues walk it."""

import json
import subprocess
from pathlib import Path

import pytest
from command_line import llmops, write
from guides import blocks, typed

CASES = [
    {
        "id": f"boat-{pier}",
        "vars": {"question": f"When does the boat from the {pier} pier leave?"},
        "contexts": [f"The boat from the {pier} pier leaves at {9 + number}:15."],
        "expected": [f"{9 + number}:15"],
    }
    for number, pier in enumerate(("north", "south", "old", "new", "long", "short", "east", "west"))
]
FILES = {
    "llmops.yaml": "models:\n  small: {id: embedded/reader-small}\n"
    "labels:\n  production: {protected: true, guarded_by: [evals/tides.yaml]}\n",
    "prompts/tides/prompt.j2": "---\nvariables:\n  question: {type: string}\n---\nuser:\n<passages>\n"
    "{% for hit in contexts %}[{{ loop.index }}] {{ hit.text }}\n{% endfor %}</passages>\n\nQuestion: {{ question }}\n",
    "evals/tides.yaml": "dataset: datasets/tides.jsonl\nprompts: [tides]\ntargets: [small]\nevaluators:\n"
    "  - contains: {any: expected}\ngate:\n  - {metric: contains.pass_rate, min: 0.3}\n",
    "datasets/tides.jsonl": "".join(f"{json.dumps(each)}\n" for each in CASES),
}
PROMPT = "prompts/tides/prompt.j2"


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=Someone", "-c", "user.email=someone@example.test", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def prompt(folder: Path, *arguments: str, code: int = 0) -> str:
    done = llmops(folder, "prompt", *arguments)
    shown = done.stdout + done.stderr
    assert done.returncode == code, shown
    assert "Traceback" not in shown
    return shown


def edit(folder: Path, old: str, new: str, file: str = PROMPT) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    git(tmp_path, "init")
    prompt(tmp_path, "commit", "tides", "-m", "The first")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "Start")
    return tmp_path


def test_from_an_edit_to_production_and_back(repository: Path) -> None:
    assert "in order" in prompt(repository, "check")
    assert llmops(repository, "eval", "-q").returncode == 0
    prompt(repository, "promote", "tides@1.0.0", "--to", "production")
    edit(repository, "Question:", "Answer this question:")
    assert "llmops prompt commit tides" in prompt(repository, "check", code=1)
    assert "tides@1.1.0 (minor)" in prompt(repository, "commit", "tides", "-m", "Ask for an answer")

    refused = prompt(repository, "promote", "tides@1.1.0", "--to", "production", code=1)
    assert "llmops eval evals/tides.yaml --prompt tides@1.1.0" in refused
    assert "protected" in prompt(repository, "label", "tides@1.1.0", "--label", "production", code=2)
    some = llmops(repository, "eval", "evals/tides.yaml", "--prompt", "tides@1.1.0", "--limit", "4")
    assert (some.returncode, some.stderr) == (0, "no evidence for a promotion: 4 of 8 cases\n")
    prompt(repository, "promote", "tides@1.1.0", "--to", "production", code=1)
    assert llmops(repository, "eval", "evals/tides.yaml", "--prompt", "tides@1.1.0").returncode == 0
    assert "production 1.0.0 -> 1.1.0" in prompt(repository, "promote", "tides@1.1.0", "--to", "production")
    assert "in order" in prompt(repository, "check")

    edit(repository, "Answer this", "answer this", "prompts/tides/versions/1.1.0.j2")
    assert "was edited after it was committed" in prompt(repository, "verify", code=1)
    edit(repository, "answer this", "Answer this", "prompts/tides/versions/1.1.0.j2")
    assert "unchanged" in prompt(repository, "verify")
    assert "production 1.1.0 -> 1.0.0" in prompt(repository, "rollback", "tides", "--label", "production")
    assert "in order" in prompt(repository, "check")
    history = json.loads(prompt(repository, "log", "tides", "--json"))
    assert [entry["action"] for entry in history] == ["rollback", "label", "commit", "label", "commit"]
    assert history[1]["run"]


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("datasets/tides.jsonl", "north pier leaves", "north pier parts", "dataset has changed"),
        ("evals/tides.yaml", "any: expected", "all: expected", "evaluators have changed"),
        ("evals/tides.yaml", "min: 0.3", "min: 0.2", "gate has changed"),
        ("llmops.yaml", "id: embedded/reader-small", "id: embedded/reader-large", "targets have changed"),
    ],
)
def test_evidence_is_worth_what_it_rests_on(repository: Path, file: str, old: str, new: str, told: str) -> None:
    assert llmops(repository, "eval", "-q").returncode == 0
    edit(repository, old, new, file)
    assert told in prompt(repository, "promote", "tides@1.0.0", "--to", "production", code=1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--model", "other"), "the targets were other"),
        (("--filter", "tag=sea"), "1 of 8 cases"),
        (("--var", "question=When does the boat leave?"), "variables were replaced"),
        (
            ("--dataset", "datasets/few.jsonl", "--sequential"),
            "only as many cases as decided the gate; the dataset was datasets/few.jsonl",
        ),
    ],
)
def test_a_run_that_proves_nothing_says_what_it_lacks(repository: Path, arguments: tuple[str, ...], told: str) -> None:
    edit(repository, "models:\n", "models:\n  other: {id: embedded/reader-large}\n", "llmops.yaml")
    cases = [{**CASES[0], "tags": ["sea"]}, *CASES[1:]]
    lines = [f"{json.dumps(each)}\n" for each in cases]
    write(repository, {"datasets/tides.jsonl": "".join(lines), "datasets/few.jsonl": "".join(lines[:2])})
    done = llmops(repository, "eval", "-q", *arguments)
    assert done.stderr.splitlines()[-1] == f"no evidence for a promotion: {told}"
    edit(repository, "{protected: true, guarded_by: [evals/tides.yaml]}", "{}", "llmops.yaml")
    assert "evidence" not in llmops(repository, "eval", "-q", *arguments).stderr


def test_a_limit_that_leaves_no_case_out_proves_as_much(repository: Path) -> None:
    assert "no evidence" not in llmops(repository, "eval", "-q", "--limit", "8").stderr
    prompt(repository, "promote", "tides@1.0.0", "--to", "production")


def test_force_needs_a_reason_and_stands_in_the_history(repository: Path) -> None:
    prompt(repository, "promote", "tides@1.0.0", "--to", "production", "--force", code=2)
    prompt(repository, "promote", "tides@1.0.0", "--to", "production", "--force", "--reason", "The old one is down")
    assert "(forced)" in prompt(repository, "log", "tides")
    assert "in order" in prompt(repository, "check")


def test_a_label_without_evidence_is_found_by_check(repository: Path) -> None:
    assert llmops(repository, "eval", "-q").returncode == 0
    prompt(repository, "promote", "tides@1.0.0", "--to", "production")
    (evidence,) = (repository / "prompts/tides/evidence").iterdir()
    evidence.unlink()
    assert "llmops eval evals/tides.yaml --prompt tides@1.0.0" in prompt(repository, "check", code=1)


def test_a_failed_gate_is_no_evidence(repository: Path) -> None:
    edit(repository, "min: 0.3", "max: 0.1", "evals/tides.yaml")
    assert llmops(repository, "eval", "-q").returncode == 1
    assert "gate said 'fail'" in prompt(repository, "promote", "tides@1.0.0", "--to", "production", code=1)


RELATIVE = "  - {metric: contains.pass_rate, non_inferior_to: baseline, margin: 0.4}\n"


def test_a_rule_that_was_not_judged_is_no_evidence(repository: Path) -> None:
    edit(repository, "min: 0.3}\n", f"min: 0.3}}\n{RELATIVE}", "evals/tides.yaml")
    promotion = ("promote", "tides@1.0.0", "--to", "production")
    assert llmops(repository, "eval", "-q", "--prompt", "tides@1.0.0").returncode == 0
    refused = " ".join(prompt(repository, *promotion, code=1).split())
    assert "non-inferior to baseline, margin 0.4 (small) was not judged: no baseline" in refused
    assert "--force --reason" in refused
    assert llmops(repository, "eval", "-q", "--prompt", "tides@1.0.0", "--baseline", "tides@1.0.0").returncode == 0
    refused = " ".join(prompt(repository, *promotion, code=1).split())
    assert "non-inferior to baseline, margin 0.4 (small) was held against the same text and targets" in refused
    prompt(repository, *promotion, "--force", "--reason", "The first")


def test_a_version_is_proven_against_the_one_that_the_label_stands_on(repository: Path) -> None:
    edit(repository, "min: 0.3}\n", f"min: 0.3}}\n{RELATIVE}", "evals/tides.yaml")
    prompt(repository, "promote", "tides@1.0.0", "--to", "production", "--force", "--reason", "The first")
    edit(repository, "Question:", "Answer this question:")
    prompt(repository, "commit", "tides", "-m", "Ask for an answer")
    promotion = ("promote", "tides@1.1.0", "--to", "production")
    command = "llmops eval evals/tides.yaml --prompt tides@1.1.0 --baseline tides@production"
    assert command in " ".join(prompt(repository, *promotion, code=1).split())
    assert llmops(repository, *command.split()[1:], "-q").returncode == 0
    evidence = next((repository / "prompts/tides/evidence").iterdir())
    proven = evidence.read_text()
    assert '"itself": false' in proven
    assert llmops(repository, "eval", "-q", "--prompt", "tides@1.1.0").returncode == 0
    assert evidence.read_text() == proven
    assert "production 1.0.0 -> 1.1.0" in prompt(repository, *promotion)
    assert "in order" in prompt(repository, "check")


def test_evidence_against_another_text_neither_counts_nor_replaces_what_counts(repository: Path) -> None:
    edit(
        repository,
        "min: 0.3}\n",
        "min: 0}\n  - {metric: contains.pass_rate, non_inferior_to: baseline, margin: 0.4}\n",
        "evals/tides.yaml",
    )
    prompt(repository, "promote", "tides@1.0.0", "--to", "production", "--force", "--reason", "The first")
    for number, lost in enumerate(("Nothing", "Still nothing"), start=1):
        text = (repository / PROMPT).read_text()
        (repository / PROMPT).write_text(
            f"{text[: text.index('user:')]}user:\n{lost} is here.\n\nQuestion: {{{{ question }}}}\n"
        )
        assert f"tides@1.{number}.0" in prompt(repository, "commit", "tides", "-m", lost, "--bump", "minor")
    judged = ("eval", "-q", "--prompt", "tides@1.2.0", "--baseline")
    promotion = ("promote", "tides@1.2.0", "--to", "production")
    assert llmops(repository, *judged, "tides@1.1.0").returncode == 0
    refused = " ".join(prompt(repository, *promotion, code=1).split())
    assert "was held against another text than the one that the label stands on" in refused
    assert llmops(repository, *judged, "tides@production").returncode == 4
    assert llmops(repository, *judged, "tides@1.1.0").returncode == 0
    assert "its gate said 'inconclusive'" in prompt(repository, *promotion, code=1)


def test_evidence_rests_on_the_index_and_its_documents(repository: Path) -> None:
    write(repository, {"docs/a.md": "# Ferries\n\nThe north pier leaves at nine.\n"})
    edit(repository, "labels:", "indexes:\n  tides:\n    corpus: {paths: [docs/*.md]}\nlabels:", "llmops.yaml")
    edit(repository, "targets:", "index: tides\ntargets:", "evals/tides.yaml")
    promotion = ("promote", "tides@1.0.0", "--to", "production")
    assert llmops(repository, "eval", "-q").returncode == 0
    edit(repository, "at nine", "at ten", "docs/a.md")
    assert "its index or the documents in it have changed since" in prompt(repository, *promotion, code=1)
    edit(repository, "at ten", "at nine", "docs/a.md")
    edit(repository, "corpus: {paths: [docs/*.md]}", "corpus: {paths: [docs/*.md]}\n    retrieve: {k: 1}", "llmops.yaml")
    assert "its index or the documents in it have changed since" in prompt(repository, *promotion, code=1)
    assert llmops(repository, "eval", "-q").returncode == 0
    assert "production (new) -> 1.0.0" in prompt(repository, *promotion)


def test_two_branches_that_commit_a_version_do_not_overwrite_each_other(repository: Path) -> None:
    for branch, word in (("one", "Tell me:"), ("two", "Please say:")):
        git(repository, "checkout", "-qb", branch, "main")
        edit(repository, "Question:", word)
        prompt(repository, "commit", "tides", "-m", f"The wording of {branch}")
        git(repository, "commit", "-qam", branch)
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", branch)
    assert "CONFLICT" in git(repository, "merge", "one")
    found = prompt(repository, "check", code=1)
    assert "the merge of two branches is not resolved" in found
    assert "git checkout --ours" in found
    write(repository, {"prompts/other/prompt.j2": "---\ndescription: Another one\n---\nuser:\nhi\n"})
    listed = prompt(repository, "list")
    assert "Another one" in listed
    assert "labels.yaml:" in listed
    prompt(repository, "commit", "other", "-m", "Another one")
    git(repository, "checkout", "--ours", "--", "prompts/tides/labels.yaml", "prompts/tides/versions")
    git(repository, "checkout", "--theirs", "--", PROMPT)
    prompt(repository, "commit", "tides", "-m", "The wording of one, again")
    assert "in order" in prompt(repository, "check")
    assert "Please say:" in prompt(repository, "show", "tides@1.1.0")
    assert "Tell me:" in prompt(repository, "show", "tides@1.2.0")


def test_a_suite_that_names_a_missing_version_is_found_by_check(repository: Path) -> None:
    edit(repository, "[tides]", "[tides@9.0.0]", "evals/tides.yaml")
    assert "evals/tides.yaml:2" in prompt(repository, "check", code=1)


def test_a_diff_shows_words_variables_tokens_and_cost_offline(repository: Path) -> None:
    edit(repository, "Question: {{ question }}", "Question for {{ who }}: {{ question }}")
    edit(repository, "  question:", "  who: {type: string, required: false, default: you}\n  question:")
    models = ("--model", "small", "--model", "openai/gpt-4o-mini", "--model", "anthropic/claude-haiku-4-5")
    shown = prompt(repository, "diff", "tides@1.0.0", "tides", *models)
    for told in ("{+", "+ variable who: string, default 'you'", "a minor change", "small", "openai/gpt-4o-mini", "8 cases"):
        assert told in shown
    document = json.loads(prompt(repository, "diff", "tides@1.0.0", "tides", *models, "--json"))
    local, *hosted = document["costs"]
    assert len(hosted) == 2
    assert local["before_usd_per_1000"] == 0
    assert all(0 < cost["before_usd_per_1000"] < cost["after_usd_per_1000"] for cost in hosted)
    assert document["estimated"] == ["anthropic/claude-haiku-4-5"]


def test_lint_speaks_text_json_and_sarif(repository: Path) -> None:
    assert "no findings" in prompt(repository, "lint")
    edit(repository, "user:\n", "user:\nThe key is sk-abcdefghijklmnop1234567890.\n")
    told = f"{PROMPT}:6:12: error this looks like an OpenAI or Anthropic key. [secret]"
    assert told in prompt(repository, "lint", code=1)
    (finding,) = json.loads(prompt(repository, "lint", "--format", "json", code=1))
    assert (finding["rule"], finding["file"]) == ("secret", PROMPT)
    (run,) = json.loads(prompt(repository, "lint", "--format", "sarif", code=1))["runs"]
    assert run["results"][0]["ruleId"] == "secret"


def test_prompts_come_from_other_tools_and_go_to_them(repository: Path) -> None:
    (repository / "old.json").write_text('[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{q}}"}]')
    assert "prompts/old/prompt.j2" in prompt(repository, "import", "old.json")
    assert "there is a prompt 'old' already" in prompt(repository, "import", "old.json", code=2)
    (repository / "other.json").write_text('{"api_base": "http://x.test", "messages": [{"role": "user", "content": "Hi"}]}')
    assert "left out what a prompt does not set: api_base" in prompt(repository, "import", "other.json")
    exported = json.loads(prompt(repository, "export", "old", "--format", "openai", "--var", "q=Why?"))
    assert exported == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    prompt(repository, "export", "tides@1.0.0", "--format", "prompty", "-o", "tides.prompty")
    assert "question" in (repository / "tides.prompty").read_text()


def test_a_three_turn_chat_is_evaluated(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    (tmp_path / PROMPT).write_text(
        "---\nvariables:\n  history: {type: messages}\n  question: {type: string}\n---\nsystem:\nAnswer from what was said.\n\n"
        "{{ messages(history) }}\n\nuser:\nQuestion: {{ question }}\n"
    )
    turns = [
        {"role": "user", "content": "The boat leaves at 9:15 from pier 4."},
        {"role": "assistant", "content": "Noted."},
        {"role": "user", "content": "Tickets cost 12 euros."},
    ]
    case = {"id": "boat", "vars": {"history": turns, "question": "When does the boat leave?"}, "expected": ["9:15"]}
    (tmp_path / "datasets/tides.jsonl").write_text(json.dumps(case) + "\n")
    messages = prompt(tmp_path, "render", "tides", "--case", "boat", "--dataset", "datasets/tides.jsonl")
    assert [line for line in messages.splitlines() if line in ("system:", "user:", "assistant:")] == [
        "system:", "user:", "assistant:", "user:", "user:",
    ]  # fmt: skip
    done = llmops(tmp_path, "eval", "--json", "--no-gate")
    (result,) = json.loads(done.stdout)["runs"][0]["results"]
    assert "9:15" in result["output"]
    assert result["evaluations"]["contains"]["passed"] is True


def test_the_guide_is_typed_to_the_letter(tmp_path: Path) -> None:
    typed(tmp_path, "llmops init")
    typed(tmp_path, "git init -q && git config user.name Someone && git config user.email someone@example.test")
    printed: dict[str, str] = {}
    for language, body in blocks("versioning-prompts-in-ci.md"):
        if language == "yaml" and body.startswith("# llmops.yaml"):
            settings = tmp_path / "llmops.yaml"
            settings.write_text(settings.read_text() + body)
        elif language == "sh":
            printed |= {line: typed(tmp_path, line) for line in body.splitlines()}
    assert "[-to three-]" in printed["llmops prompt diff answer@production answer --model openai/gpt-4o-mini --model small"]
    assert "1.0.0 -> 1.1.0" in printed["llmops prompt promote answer@1.1.0 --to production"]
    assert json.loads(typed(tmp_path, "llmops prompt list --json"))[0]["labels"] == {"production": "1.0.0"}


def test_labels_are_set_once_and_taken_away(repository: Path) -> None:
    assert "staging (new) -> 1.0.0" in prompt(repository, "label", "tides@1.0.0", "--label", "staging")
    before = (repository / "prompts/tides/labels.yaml").read_text()
    assert "staging stands on 1.0.0 already" in prompt(repository, "label", "tides@latest", "--label", "staging")
    assert (repository / "prompts/tides/labels.yaml").read_text() == before
    assert "Did you mean `staging`?" in prompt(repository, "unlabel", "tides", "--label", "stagign", code=2)
    assert "staging 1.0.0 -> (none)" in prompt(repository, "unlabel", "tides", "--label", "staging", "-m", "a slip")
    assert "staging: 1.0.0 -> (none)" in prompt(repository, "log", "tides")
    prompt(repository, "promote", "tides@1.0.0", "--to", "production", "--force", "--reason", "urgent")
    assert "is protected in llmops.yaml" in prompt(repository, "unlabel", "tides", "--label", "production", code=2)
    assert "in order" in prompt(repository, "check")
