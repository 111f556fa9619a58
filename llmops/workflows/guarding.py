"""What a passed gate is evidence of: the hashes of everything that the gate rested on, and who asks for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from llmops.domain.keys import node_key
from llmops.domain.reports import Report, RuleVerdict, Verdict
from llmops.domain.serial import plain
from llmops.evaluation.datasets import Dataset
from llmops.evaluation.evaluators.base import BuiltEvaluator
from llmops.evaluation.planning import Plan, Selection, Target
from llmops.prompting.evidence import read_evidence, write_evidence
from llmops.prompting.registry import Registry
from llmops.settings.project import ProjectSettings
from llmops.settings.suite import Suite
from llmops.statistics.gate import overall

EVIDENCE_VERSION = 1
HASHED = ("dataset", "evaluators", "gate", "targets")
"""What a gate rests on, besides the prompt."""


def guarding_suites(settings: ProjectSettings) -> set[str]:
    """The suites whose gates guard a protected label."""
    return {suite for label in settings.labels.values() if label.protected for suite in label.guarded_by}


def gate_hashes(
    suite: Suite, dataset: Dataset, evaluators: Sequence[BuiltEvaluator], targets: Mapping[str, Target]
) -> dict[str, str]:
    """Hashes of what a suite's gate rests on; evidence holds while they are the same."""
    rules = [plain(rule.model_dump(mode="json")) for rule in suite.settings.gate]
    identities = {e.spec.name: [e.evaluator.identity, e.spec.common.model_dump(mode="json")] for e in evaluators}
    models = {t.name: [t.identity if t.asked[0].model else None, dict(t.params)] for t in targets.values()}
    return {
        "dataset": dataset.content_hash,
        "evaluators": node_key("evaluators", EVIDENCE_VERSION, identities),
        "gate": node_key("gate", EVIDENCE_VERSION, {"rules": rules, "repeat": suite.settings.repeat}),
        "targets": node_key("targets", EVIDENCE_VERSION, models),
    }


def record_evidence(plan: Plan, report: Report, settings: ProjectSettings, registry: Registry) -> list[str]:
    """Write what a finished run says of each committed prompt version, when its suite guards a protected label.

    Only a run of the whole suite counts: all its cases, targets, repeats and rules, nothing changed on the command line.

    Returns:
        The files written, relative to the project root.
    """
    if plan.suite.path not in guarding_suites(settings) or not _whole(plan, report):
        return []
    hashes = gate_hashes(plan.suite, plan.dataset, plan.evaluators, plan.targets)
    written = []
    for reference, version in plan.prompts.items():
        if version.hash not in registry.ledger(version.name).committed.values():
            continue
        rules = [rule for rule in report.rules if rule.prompt == reference]
        if not rules:
            continue
        earlier = read_evidence(registry, version.name, version.hash) or {}
        entry = {
            **hashes,
            **_figures(rules),
            "cases": plan.cases,
            "run": report.run_id,
            "at": report.timing.finished_at[:19] + "Z",
        }
        known = earlier.get("suites", {})
        if _says_the_same(entry, known.get(plan.suite.path)):
            continue
        suites = {**known, plan.suite.path: entry}
        path = write_evidence(registry, version.name, version.hash, {"prompt": version.name, "suites": suites})
        written.append(path.relative_to(registry.root).as_posix())
    return written


def _says_the_same(entry: Mapping[str, Any], earlier: Any) -> bool:  # noqa: ANN401 -- JSON that a user may have edited
    """Whether a rerun proves nothing new; then the file stays, so that git sees no change."""
    return isinstance(earlier, dict) and all(earlier.get(key) == entry[key] for key in (*HASHED, "verdict"))


def _whole(plan: Plan, report: Report) -> bool:
    settings = plan.suite.settings
    untouched = plan.selection == Selection() and plan.dataset.path == settings.dataset and plan.repeat >= settings.repeat
    return report.status == "finished" and untouched and list(plan.targets) == settings.targets


def _figures(rules: Sequence[RuleVerdict]) -> dict[str, Any]:
    verdict: Verdict = overall([rule.verdict for rule in rules])
    shown = [{k: v for k, v in plain(rule).items() if k not in ("prompt", "reason", "discordance")} for rule in rules]
    return {"verdict": verdict, "rules": shown}
