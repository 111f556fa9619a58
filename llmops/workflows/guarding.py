"""What a passed gate is evidence of: the hashes of everything that the gate rested on, and who asks for it."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from llmops.domain.keys import node_key
from llmops.domain.ports import Store
from llmops.domain.reports import Report, RuleVerdict, Verdict
from llmops.domain.runs import Run
from llmops.domain.serial import plain
from llmops.domain.words import many
from llmops.evaluation.comparing import partners
from llmops.evaluation.datasets import Dataset
from llmops.evaluation.evaluators.base import BuiltEvaluator
from llmops.evaluation.gating import rule_text
from llmops.evaluation.planning import AskRetriever, Plan, Target
from llmops.prompting.evidence import read_evidence, write_evidence
from llmops.prompting.ledger import Ledger
from llmops.prompting.registry import Registry
from llmops.settings.project import ProjectSettings
from llmops.settings.suite import Suite
from llmops.statistics.gate import overall

EVIDENCE_VERSION = 1
HASHED = ("dataset", "evaluators", "gate", "targets", "index")
"""What a gate rests on, besides the prompt."""


def guarding_suites(settings: ProjectSettings) -> set[str]:
    """The suites whose gates guard a protected label."""
    return {suite for label in settings.labels.values() if label.protected for suite in label.guarded_by}


def gate_hashes(
    suite: Suite,
    dataset: Dataset,
    evaluators: Sequence[BuiltEvaluator],
    targets: Mapping[str, Target],
    retriever: AskRetriever | None,
) -> dict[str, str]:
    """Hashes of what a suite's gate rests on; evidence holds while they are the same."""
    rules = [plain(rule.model_dump(mode="json")) for rule in suite.settings.gate]
    identities = {e.spec.name: [e.identity, e.spec.common.model_dump(mode="json")] for e in evaluators}
    models = {t.name: [t.identity if t.asked[0].model else None, dict(t.params)] for t in targets.values()}
    searched = {} if retriever is None else {"retriever": retriever.identity, "query": suite.settings.query}
    return {
        "dataset": dataset.content_hash,
        "evaluators": node_key("evaluators", EVIDENCE_VERSION, identities),
        "gate": node_key("gate", EVIDENCE_VERSION, {"rules": rules, "repeat": suite.settings.repeat}),
        "targets": node_key("targets", EVIDENCE_VERSION, models),
        **({"index": node_key("index", EVIDENCE_VERSION, searched)} if searched else {}),
    }


def record_evidence(plan: Plan, report: Report, store: Store, settings: ProjectSettings, registry: Registry) -> list[str]:
    """Write what a finished run says of each committed prompt version, when its suite guards a protected label.

    Only a run of the whole suite counts: all its cases, targets, repeats and rules, nothing changed on the command line.

    Args:
        plan: of the run.
        report: of the run.
        store: holds the run that its relative rules were held against.
        settings: name the suites that guard a label.
        registry: the prompts, beside which evidence is kept.

    Returns:
        The files written, relative to the project root.
    """
    if plan.suite.path not in guarding_suites(settings) or _missing(plan, report):
        return []
    hashes = gate_hashes(plan.suite, plan.dataset, plan.evaluators, plan.targets, plan.retriever)
    baseline = None if report.baseline is None else store.run(report.baseline)
    relative = {rule_text(rule) for rule in plan.suite.settings.gate if rule.relative}
    written = []
    for reference, version in plan.prompts.items():
        ledger = registry.ledger(version.name)
        rules = [rule for rule in report.rules if rule.prompt == reference]
        if not rules or version.hash not in ledger.committed.values():
            continue
        known = (read_evidence(registry, version.name, version.hash) or {}).get("suites", {})
        entry = {
            **hashes,
            **_figures(rules, relative),
            "baseline": _baseline(plan, reference, baseline),
            "cases": plan.cases,
            "run": report.run_id,
            "at": report.timing.finished_at[:19] + "Z",
        }
        if _proves_no_more(entry, known.get(plan.suite.path), _standing(plan.suite.path, settings, ledger)):
            continue
        suites = {**known, plan.suite.path: entry}
        path = write_evidence(registry, version.name, version.hash, {"prompt": version.name, "suites": suites})
        written.append(path.relative_to(registry.root).as_posix())
    return written


def _standing(suite: str, settings: ProjectSettings, ledger: Ledger) -> set[str]:
    """Hashes of the texts that the labels which a suite guards stand on."""
    guarded = (name for name, label in settings.labels.items() if label.protected and suite in label.guarded_by)
    return {ledger.committed.get(ledger.labels[name], "") for name in guarded if name in ledger.labels}


def _proves_no_more(entry: Mapping[str, Any], earlier: Any, standing: Container[str]) -> bool:  # noqa: ANN401 -- as `unproven`
    """Whether a rerun proves nothing new; then the file stays, so that git sees no change.

    A run that judged fewer rules takes nothing back of what the same texts, cases and rules have proven, and one that was held
    against another text nothing of what was said against a text that a label stands on.
    """
    if not isinstance(earlier, dict) or any(earlier.get(key) != entry.get(key) for key in HASHED):
        return False
    if held_against(earlier) in standing and held_against(entry) not in standing:
        return True
    now, then = unproven(entry), unproven(earlier)
    if earlier.get("verdict") == "pass" and not then:
        return entry["verdict"] in ("pass", "not judged")
    return bool(earlier.get("verdict") == entry["verdict"] and now == then)


def held_against(entry: Mapping[str, Any]) -> str | None:
    """Hash of the text that evidence was held against; None: of none. `entry` as in `unproven`."""
    baseline = entry.get("baseline")
    return baseline.get("prompt") if isinstance(baseline, dict) else None


def unproven(entry: Mapping[str, Any], standing: str | None = None) -> list[str]:
    """The rules that evidence leaves open, each with the reason: not judged, or held against a text that does not count.

    Args:
        entry: of one suite, as JSON that a user may have edited.
        standing: hash of the text that relative rules have to be held against; None: any but its own.
    """
    rules = entry.get("rules")
    judged = [rule for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    baseline = entry.get("baseline")
    itself = isinstance(baseline, dict) and baseline.get("itself") is True
    found = []
    for rule in judged:
        place = f"{rule.get('rule')} ({rule.get('target')})"
        if rule.get("verdict") == "not judged":
            found.append(f"{place} was not judged: {rule.get('reason') or 'it compared nothing'}")
        elif itself and rule.get("relative") is True:
            found.append(f"{place} was held against the same text and targets")
        elif standing is not None and rule.get("relative") is True and held_against(entry) != standing:
            found.append(f"{place} was held against another text than the one that the label stands on")
    return found


def _baseline(plan: Plan, reference: str, run: Run | None) -> dict[str, Any] | None:
    """The run that a prompt's relative rules were held against, and whether it is one of this very text and these targets."""
    if run is None:
        return None
    prompts = run.snapshot.get("prompts", {})
    held = prompts.get(partners(list(prompts), list(plan.prompts)).get(reference))
    itself = held == plan.prompts[reference].hash and run.snapshot.get("targets") == plan.snapshot()["targets"]
    return {"run": run.id, "prompt": held, "itself": itself}


def no_evidence(plan: Plan, report: Report, settings: ProjectSettings) -> str:
    """Why a run is no evidence, though its suite guards a protected label; empty where nothing is asked of it, or given."""
    return _missing(plan, report) if plan.suite.path in guarding_suites(settings) else ""


def _missing(plan: Plan, report: Report) -> str:
    """What a run lacks of its whole suite; empty: nothing."""
    settings, selection = plan.suite.settings, plan.selection
    found = {
        f"the run is {report.status}": report.status != "finished",
        f"{plan.cases:,} of {many(plan.dataset.size, 'case')}": plan.cases < plan.dataset.size,
        "variables were replaced": bool(selection.variables),
        "only as many cases as decided the gate": selection.shuffled,
        f"the dataset was {plan.dataset.path}": plan.dataset.path != settings.dataset,
        f"{plan.repeat} of {many(settings.repeat, 'answer')} per case": plan.repeat < settings.repeat,
        f"the targets were {', '.join(plan.targets)}": list(plan.targets) != settings.targets,
    }
    return "; ".join(reason for reason, holds in found.items() if holds)


def _figures(rules: Sequence[RuleVerdict], relative: Container[str]) -> dict[str, Any]:
    verdict: Verdict = overall([rule.verdict for rule in rules])
    return {"verdict": verdict, "rules": [_shown(rule, relative=rule.rule in relative) for rule in rules]}


def _shown(rule: RuleVerdict, *, relative: bool) -> dict[str, Any]:
    left_out = {"prompt", "discordance"} if rule.verdict == "not judged" else {"prompt", "discordance", "reason"}
    shown = {key: value for key, value in plain(rule).items() if key not in left_out}
    return {**shown, "relative": True} if relative else shown
