"""Moving labels: freely, or for a protected one only onto text that passed the gates of its suites."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from llmops.domain.errors import InvalidFiles, Problem, PromotionRefused, UsageError
from llmops.domain.ports import Progress
from llmops.evaluation.datasets import dataset_of
from llmops.evaluation.evaluators.base import Services
from llmops.evaluation.evaluators.catalogue import build_evaluators
from llmops.evaluation.planning import AskRetriever, Target
from llmops.prompting.evidence import EVIDENCE, read_evidence
from llmops.prompting.ledger import LABELS, Entry, Ledger
from llmops.prompting.registry import PROMPTS, Reference, Registry
from llmops.prompting.template import PromptVersion
from llmops.prompting.versions import Change, check, move_label, unlabel
from llmops.settings.project import LabelSettings, Project
from llmops.settings.suite import Suite, load_suite, suite_files
from llmops.workflows.guarding import gate_hashes, unproven
from llmops.workflows.prompt_use import suites_of

STALE = {
    "dataset": "its dataset has changed since",
    "evaluators": "its evaluators have changed since",
    "gate": "its gate has changed since",
    "targets": "its targets have changed since",
    "index": "its index or the documents in it have changed since",
}


class Parts(Protocol):
    """What a promotion is decided on; `wiring` provides it."""

    project: Project
    root: Path

    @property
    def registry(self) -> Registry:
        """The project's prompts."""
        ...

    @property
    def services(self) -> Services:
        """What evaluators may ask."""
        ...

    def target(self, name: str) -> Target:
        """The model of that name."""
        ...

    def retriever(self, index: str, progress: Progress) -> AskRetriever:
        """The index of that name, which is not opened before it is asked."""
        ...


def promote(parts: Parts, name: str, which: str, label: str, change: Change, progress: Progress) -> Entry:
    """Move a label onto a committed version.

    Args:
        parts: of the project.
        name: of the prompt.
        which: a version, or anything else that names one, such as `latest`.
        label: its name.
        change: who moves it and why; `forced` moves a protected label without evidence.
        progress: of reading the documents that a suite searches.

    Raises:
        PromotionRefused: the label is protected, and a suite that guards it has not passed with exactly this text.
        UsageError: no such version.
    """
    version = _committed(parts.registry, name, which)
    guard = parts.project.settings.labels.get(label)
    if guard is None or not guard.protected:
        return move_label(parts.registry, name, str(version.version), label, replace(change, forced=False))
    if change.forced:
        return move_label(parts.registry, name, str(version.version), label, change)
    run = _evidence(parts, version, label, guard, progress)
    return move_label(parts.registry, name, str(version.version), label, replace(change, run=run))


def set_label(project: Project, registry: Registry, name: str, which: str, label: str, change: Change) -> Entry:
    """Move a label that nothing protects.

    Raises:
        UsageError: it is protected, or there is no such version.
    """
    _refuse_protected(project, label, f"Move it on evidence: llmops prompt promote {name}@{which} --to {label}")
    return move_label(registry, name, str(_committed(registry, name, which).version), label, change)


def remove_label(project: Project, registry: Registry, name: str, label: str, change: Change) -> Entry:
    """Take away a label that nothing protects.

    Raises:
        UsageError: it is protected, or there is none of this name.
    """
    _refuse_protected(project, label, f"Take it out of `labels` there first, or: llmops prompt rollback {name} --label {label}")
    return unlabel(registry, name, label, change)


def _refuse_protected(project: Project, label: str, hint: str) -> None:
    guard = project.settings.labels.get(label)
    if guard is not None and guard.protected:
        raise UsageError(f"the label {label!r} is protected in llmops.yaml.", hint=hint)


def _committed(registry: Registry, name: str, which: str) -> PromptVersion:
    version = registry.resolve(f"{name}@{which}")
    if version.version is None:
        hint = f"Commit it first: llmops prompt commit {name} -m MESSAGE"
        raise UsageError(f"{name}@{which} is not a committed version.", hint=hint)
    return version


def _evidence(parts: Parts, version: PromptVersion, label: str, guard: LabelSettings, progress: Progress) -> str:
    """The runs that let the label move.

    Raises:
        PromotionRefused: with what is missing and the command that would make it.
    """
    suites = _guarding(parts.root, version.name, guard)
    if not suites:
        listed = ", ".join(guard.guarded_by) or "none"
        hint = f"Name the prompt in one of the suites under `labels.{label}.guarded_by`: {listed}."
        raise PromotionRefused(f"no suite that guards {label!r} names the prompt {version.name!r}.", hint=hint)
    passed = (read_evidence(parts.registry, version.name, version.hash) or {}).get("suites", {})
    ledger = parts.registry.ledger(version.name)
    other = None if ledger.labels.get(label) == version.version else ledger.labels.get(label)
    standing = _text_of(ledger, other)
    found = ((suite.path, _missing(parts, suite, passed.get(suite.path), standing, progress)) for suite in suites)
    missing = {path: reason for path, reason in found if reason}
    if missing:
        told = "\n".join(f"  {path}: {reason}" for path, reason in missing.items())
        message = f"{version.name}@{version.version} may not become {label!r}:\n{told}"
        raise PromotionRefused(message, hint=_next_step(version, label, other, suites, missing))
    return ", ".join(str(passed[suite.path]["run"]) for suite in suites)


def _next_step(
    version: PromptVersion, label: str, other: str | None, suites: Sequence[Suite], missing: Mapping[str, str]
) -> str:
    """The commands that make the evidence; relative rules are held against the `other` version that the label stands on."""
    name = f"{version.name}@{version.version}"
    relative = {suite.path for suite in suites if any(rule.relative for rule in suite.settings.gate)}
    against = "" if other is None else f" --baseline {version.name}@{label}"
    commands = "\n".join(f"  llmops eval {path} --prompt {name}{against if path in relative else ''}" for path in missing)
    first = f"\nNothing to hold it against: llmops prompt promote {name} --to {label} --force --reason TEXT"
    return f"Make the evidence:\n{commands}{'' if against or not relative & set(missing) else first}"


def _guarding(root: Path, name: str, guard: LabelSettings) -> list[Suite]:
    return suites_of(name, root, (root / path for path in guard.guarded_by))


def _text_of(ledger: Ledger, version: str | None) -> str | None:
    return None if version is None else ledger.committed.get(version)


def _missing(parts: Parts, suite: Suite, entry: Any, standing: str | None, progress: Progress) -> str | None:  # noqa: ANN401
    """Why an entry of the evidence, JSON that a user may have edited, does not let the label move; None when it does.

    Args: as `unproven`, and what `gate_hashes` needs.
    """
    if not isinstance(entry, dict):
        return "its gate has not been judged with exactly this text"
    if entry.get("verdict") != "pass":
        return f"its gate said {entry.get('verdict')!r} in run {entry.get('run')}"
    if still_open := unproven(entry, standing):
        return f"run {entry.get('run')} does not prove every rule: {'; '.join(still_open)}"
    dataset = dataset_of(suite, parts.root)
    evaluators = build_evaluators(suite.evaluators, suite.positions, parts.services)
    targets = {name: parts.target(name) for name in suite.settings.targets}
    retriever = None if suite.settings.index is None else parts.retriever(suite.settings.index, progress)
    now = gate_hashes(suite, dataset, evaluators, targets, retriever)
    return next((told for key, told in STALE.items() if entry.get(key) != now.get(key)), None)


def check_prompts(project: Project, registry: Registry, names: Sequence[str] | None) -> list[Problem]:
    """What CI should refuse: edited or uncommitted texts, labels without evidence, suites that name what is not there."""
    wanted = names or registry.names()
    problems = [problem for name in wanted for problem in check(registry, name)]
    broken = {problem.file for problem in problems}
    for name in wanted:
        if f"{PROMPTS}/{name}/{LABELS}" not in broken:
            problems += _unproven_labels(project, registry, name)
    for path in suite_files(project.root):
        problems += _missing_references(load_suite(path, project.root), registry, None if names is None else set(names))
    return problems


def _unproven_labels(project: Project, registry: Registry, name: str) -> Iterator[Problem]:
    """Protected labels that stand on a version without evidence; what was forced or rolled back is told by the history."""
    ledger = registry.ledger(name)
    for label, version in ledger.labels.items():
        guard = project.settings.labels.get(label)
        if guard is None or not guard.protected or _by_hand(ledger, label):
            continue
        prompt_hash, last = ledger.committed.get(version, ""), ledger.last_move(label)
        before = None if last is None or last.came_from == version else _text_of(ledger, last.came_from)
        passed = (read_evidence(registry, name, prompt_hash) or {}).get("suites", {}) if prompt_hash else {}
        for suite in _guarding(project.root, name, guard):
            entry = passed.get(suite.path)
            if not isinstance(entry, dict) or entry.get("verdict") != "pass" or unproven(entry, before):
                told = f"`{label}` stands on {version}, and no file in {EVIDENCE}/ shows that it passed {suite.path}."
                hint = f"Make it: llmops eval {suite.path} --prompt {name}@{version}"
                yield Problem(f"{PROMPTS}/{name}/{LABELS}", told, key=f"labels.{label}", hint=hint)


def _by_hand(ledger: Ledger, label: str) -> bool:
    last = ledger.last_move(label)
    return last is not None and (last.forced or last.action == "rollback")


def _missing_references(suite: Suite, registry: Registry, names: set[str] | None) -> Iterator[Problem]:
    for number, reference in enumerate(suite.settings.prompts):
        if names is not None and Reference.parse(reference).name not in names:
            continue
        try:
            registry.resolve(reference)
        except InvalidFiles:
            continue  # told by the check of the prompt itself
        except UsageError as error:
            yield suite.positions.located(("prompts", number), error)
