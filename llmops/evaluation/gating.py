"""Judges the rules of a suite's gate on the cells of a run."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import field, replace

from llmops.domain.ports import Store
from llmops.domain.records import record
from llmops.domain.reports import CELLS, NEW_FAILURES, Direction, Power, RuleVerdict, Verdict
from llmops.domain.runs import CellResult, Run
from llmops.evaluation.aggregating import Aggregator, estimated, uncorrected
from llmops.evaluation.case_rules import no_failures, no_new_failures
from llmops.evaluation.comparing import ANY_VALUE, Baseline, Flips, Pairs, Question, flip, judged_pairs
from llmops.evaluation.evaluators.base import ANY, Bounds, better_when_lower, closed
from llmops.evaluation.planning import Plan
from llmops.evaluation.tallies import CORRECTED, OVER_TRIES, QUANTILES, EvaluatorTally, GroupTally
from llmops.settings.suite import GateRule
from llmops.statistics.gate import Kind, interval_confidence, judge_absolute, judge_unbounded, keeps, overall, settle
from llmops.statistics.intervals import EQUAL, Estimate, exact_proportion
from llmops.statistics.looks import look_confidence
from llmops.statistics.power import cases_for_drop, detectable_drop

ASSUMED_DISCORDANCE = 0.1
"""Share of flipped cases that is planned with when no baseline shows one."""
ASSUMED_CONFIDENCE = 0.95
"""One-sided, where the gate has no rule on a pass rate."""
ASSUMED_MARGIN = 0.05
"""Drop that is planned for when no rule has a margin."""
HELD_AGAINST = "held against "
"""How every note begins that tells in what a baseline is no match for the run."""
SEVERAL_LOOKS = "the gate may look "
"""How the note begins that tells the confidence of each of several looks."""


NOT_LIVE = "no live measurement"
"""How the reason begins of a rule on latencies that were all measured in earlier runs."""


@record
class Judgement:
    """What a gate says of a run, and what stands beside it."""

    rules: tuple[RuleVerdict, ...] = ()
    flips: Flips = field(default_factory=Flips)
    power: Power | None = None
    baseline: str | None = None
    """Run id."""
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Of the whole gate."""
        return overall(rule.verdict for rule in self.rules)


def judge_run(plan: Plan, store: Store, run_id: str, aggregator: Aggregator, baseline: str | None) -> Judgement:
    """Hold a finished run against the rules of its suite.

    Args:
        plan: of the run.
        store: holds its cells, and the baseline's.
        run_id: of the run.
        aggregator: has taken all its cells.
        baseline: id of the run for relative rules; None: they are not judged.
    """
    held = load_baseline(plan, store, baseline)
    rules = Gate(plan, aggregator, held).judge(lambda: store.results(run_id))
    notes = several_looks(plan)
    judgement = Judgement(rules, power=power_of(plan, rules, aggregator), baseline=baseline, notes=notes)
    if held is None or baseline is None:
        return judgement
    critical, flips, alone, gone = _critical(plan), Flips(), 0, held.cases()
    for after in store.results(run_id):
        before = held.cell(after)
        gone.pop(after.case_id, None)
        if before is None:
            alone += 1
        elif (found := flip(before, after, critical)) is not None:
            flips.add(found)
    notes += mismatch(store.run(baseline), plan, alone, len(gone), held.otherwise(plan.snapshot()["evaluators"]))
    return replace(judgement, flips=flips, notes=notes)


def rules_of(plan: Plan) -> list[GateRule]:
    """The gate's rules, each at the confidence of one look: a run that may be extended is judged several times."""
    rules = plan.suite.settings.gate
    if len(plan.looks) == 1:
        return rules
    return [rule.model_copy(update={"confidence": look_confidence(rule.confidence, plan.looks)}) for rule in rules]


def several_looks(plan: Plan) -> tuple[str, ...]:
    """That a gate judges at a higher confidence than its rules name, as a note; nothing when it looks once."""
    pairs = zip(plan.suite.settings.gate, rules_of(plan), strict=True)
    own = {rule.confidence: look.confidence for rule, look in pairs if rule.metric}
    told = ", ".join(f"{look:.4f} for {confidence:g} in all" for confidence, look in own.items() if look != confidence)
    return (f"{SEVERAL_LOOKS}{len(plan.looks)} times, so each look has a confidence of {told}",) if told else ()


def mismatch(baseline: Run, plan: Plan, alone: int, gone: int, otherwise: Collection[str]) -> tuple[str, ...]:
    """What makes a baseline a poor match, as a note; nothing when it is a whole run of the same cells, measured alike.

    Args:
        baseline: the run that a candidate is held against.
        plan: of the candidate.
        alone: cells of the candidate that it does not have.
        gone: cases of it that the candidate does not have.
        otherwise: evaluators that were set otherwise in it.
    """
    cases = baseline.snapshot.get("dataset", {}).get("hash")
    told = [f"a run of {baseline.suite}"] if baseline.suite != plan.suite.path else []
    missing = f", {gone:,} of which {'is' if gone == 1 else 'are'} not in this run" if gone else ""
    told += [f"over other cases{missing}"] if cases != plan.dataset.content_hash else []
    told += [f"which measured {', '.join(sorted(otherwise))} otherwise"] if otherwise else []
    told += [f"which is {baseline.status}"] if baseline.status in ("running", "interrupted", "over budget") else []
    told += [f"which lacks {alone:,} of this run's cells"] if alone else []
    return (f"{HELD_AGAINST}{baseline.id}, {', '.join(told)}",) if told else ()


def _critical(plan: Plan) -> frozenset[str] | None:
    """As `flip`: the tags of the cases that no rule lets break."""
    asked = [rule.no_new_failures.tags for rule in plan.suite.settings.gate if rule.no_new_failures]
    return None if not asked else frozenset() if not all(asked) else frozenset(tag for tags in asked for tag in tags)


def power_of(plan: Plan, rules: Sequence[RuleVerdict], aggregator: Aggregator) -> Power | None:
    """What the cases that were run can show, by the flips seen, else by an assumed share; None when nothing was judged."""
    ran = max((-(-group.cells // plan.repeat) for group in aggregator.groups.values()), default=0)
    cases = round(ran * _share_judged(plan, aggregator))
    if all(rule.verdict == "not judged" for rule in rules) or not cases:
        return None
    rates = [rule for rule in rules_of(plan) if _is_rate(rule.metric)]
    relative = [rule for rule in rates if 0 < rule.margin < 1]
    strictest = min(relative or rates, key=lambda rule: (rule.margin, -rule.confidence), default=None)
    margin = strictest.margin if strictest is not None and relative else ASSUMED_MARGIN
    confidence = ASSUMED_CONFIDENCE if strictest is None else strictest.confidence
    # Flips in the direction of a real change are not noise; what is left of them goes both ways alike.
    noise = (rule.discordance - abs(rule.value) for rule in rules if rule.discordance and rule.value is not None)
    seen = [share for share in noise if share > 0]
    discordance = max(seen, default=ASSUMED_DISCORDANCE)
    drop = detectable_drop(cases, discordance, confidence=confidence)
    needed = cases_for_drop(margin, max(discordance, margin), confidence=confidence)
    return Power(cases, discordance, bool(seen), drop, margin, needed)


def _share_judged(plan: Plan, aggregator: Aggregator) -> float:
    """Share of the cells that a rule on a pass rate applies to, a missing value among them; of several the least."""
    names = {str(rule.metric).partition(".")[0] for rule in plan.suite.settings.gate if _is_rate(rule.metric)}
    shares = (
        (len(tally.verdicts.values) + tally.failed) / group.cells
        for group in aggregator.groups.values()
        for name, tally in group.evaluators.items()
        if name in names
    )
    return min(shares, default=1.0)


def _is_rate(metric: str | None) -> bool:
    return metric is not None and metric.endswith(".pass_rate")


def load_baseline(plan: Plan, store: Store, run_id: str | None) -> Baseline | None:
    """The cells of the baseline run, for relative rules and to tell what flipped."""
    if run_id is None:
        return None
    evaluators = store.run(run_id).snapshot.get("evaluators", {})
    return Baseline.of(store.results(run_id), plan.prompts, plan.targets, evaluators)


class Gate:
    """The rules of one suite."""

    def __init__(self, plan: Plan, aggregator: Aggregator, baseline: Baseline | None) -> None:
        self._plan = plan
        self._aggregator = aggregator
        self._baseline = baseline
        self._otherwise: Collection[str] = ()
        if baseline is not None and baseline.evaluators:
            self._otherwise = baseline.otherwise(plan.snapshot()["evaluators"])

    def judge(self, results: Callable[[], Iterable[CellResult]]) -> tuple[RuleVerdict, ...]:
        """One verdict per rule and prompt x target; `results` reads the run's cells anew."""
        return tuple(
            replace(
                self._judge(rule, group, results),
                unit=self._unit(rule),
                confidence=round(interval_confidence(rule.confidence), 12) if rule.metric else None,
            )
            for rule in rules_of(self._plan)
            for group in self._aggregator.groups.values()
            if rule.target is None or rule.target == group.target
        )

    def _unit(self, rule: GateRule) -> str:
        if rule.of_cases is not None:
            return CELLS if rule.no_new_failures is None else NEW_FAILURES
        name, _, aggregate = (rule.metric or "").partition(".")
        named = (built.kind.unit for built in self._plan.evaluators if built.spec.name == name)
        return next(named, "") if aggregate in ("mean", "total", *QUANTILES) else ""

    def _judge(self, rule: GateRule, group: GroupTally, results: Callable[[], Iterable[CellResult]]) -> RuleVerdict:
        if (asked := rule.of_cases) is not None:
            key, tags = asked
            place = group.prompt, group.target
            here = (each for each in results() if (each.prompt, each.target) == place and (not tags or tags & {*each.tags}))
            found = no_failures(here, tags) if key == "no_failures" else no_new_failures(here, tags, self._baseline)
            return replace(found, rule=rule_text(rule), prompt=group.prompt, target=group.target)
        name, _, aggregate = str(rule.metric).partition(".")
        tally = group.evaluators.get(name)
        if rule.min is not None or rule.max is not None:
            return self._absolute(rule, group, tally, name, aggregate)
        return self._relative(rule, group, results, name, aggregate)

    def _absolute(
        self, rule: GateRule, group: GroupTally, tally: EvaluatorTally | None, name: str, aggregate: str
    ) -> RuleVerdict:
        text = rule_text(rule)
        confidence = interval_confidence(rule.confidence)
        found = _held(tally, aggregate, confidence) if tally is not None else None
        if found is None or tally is None:
            # Tries that failed could have been anything: a case that lacks some of its k says neither yes nor no.
            partly = tally is not None and tally.scored and tally.failed and OVER_TRIES.fullmatch(aggregate)
            reason = f"no case has a value in {partly[2]} tries" if partly else self._missing(name, aggregate, tally)
            nothing = tally is not None and not tally.scored and not reason.startswith(NOT_LIVE)
            return RuleVerdict(
                text, group.prompt, group.target, "inconclusive" if partly or nothing else "not judged", reason=reason
            )
        unknown = self._unknown(name, tally) if aggregate == "total" else 0
        if aggregate == "total":
            found = replace(found, low=found.value, high=None if unknown else found.value)

        def judged(estimate: Estimate | None) -> Verdict:
            return judge_absolute(estimate, minimum=rule.min, maximum=rule.max)

        verdict, reason = judged(found), ""
        if verdict == "not judged" and unknown:
            reason = f"{unknown} cells have no known value, so that the sum is larger"
        elif verdict == "not judged":
            verdict, reason = _without_interval(rule, found, aggregate, confidence)
        elif tally.failed and (bounds := _possible(tally, aggregate)) is not None:
            # What failed counts as the largest value that it could have had, and as the smallest (Manski 1990).
            least, most = (judged(_held(_filled(tally, aggregate, value), aggregate, confidence)) for value in bounds)
            verdict = settle(verdict, most, least)
            reason = f"{tally.failed} without a value" if verdict == "inconclusive" else ""
        return RuleVerdict(text, group.prompt, group.target, verdict, found.value, found.low, found.high, found.n, reason)

    def _unknown(self, name: str, tally: EvaluatorTally) -> int:
        """Cells whose dollars, tokens or seconds are not known, and which have some all the same."""
        measures = any(built.spec.name == name and built.kind.unit for built in self._plan.evaluators)
        return tally.unmeasured if measures else 0

    def _missing(self, name: str, aggregate: str, tally: EvaluatorTally | None) -> str:
        if tally is None and name not in [built.spec.name for built in self._plan.evaluators]:
            return f"the suite has no evaluator {name!r}"
        if tally is not None and name == "latency" and not tally.values.values:
            batched = any(target.batches is not None for target in self._plan.asked().values())
            return f"{NOT_LIVE}: use `--refresh generate`{' without `--batch`' if batched else ''}"
        if tally is None or not tally.scored:
            return "no case was scored"
        if aggregate in CORRECTED:
            return _not_corrected(tally, name)
        return f"{name!r} has no aggregate {aggregate!r} here"

    def _relative(
        self, rule: GateRule, group: GroupTally, results: Callable[[], Iterable[CellResult]], name: str, aggregate: str
    ) -> RuleVerdict:
        text = rule_text(rule)
        if self._baseline is None:
            reason = "no baseline: set one with `llmops runs baseline RUN`"
            return RuleVerdict(text, group.prompt, group.target, "not judged", reason=reason)
        pairs = self._pairs(group, results(), name, aggregate)
        kind: Kind = "non_inferior_to" if rule.non_inferior_to else "superior_to"
        named = (built for built in self._plan.evaluators if built.spec.name == name)
        lower = any(better_when_lower(built.kind, built.figures, aggregate) for built in named)
        question = Question(rule.confidence, rule.margin, kind)
        direction: Direction = "lower is better" if lower else "higher is better"
        found, verdict = judged_pairs(pairs, question, direction, QUANTILES.get(aggregate))
        if found is None:
            live = " live: use `--refresh generate`" if name == "latency" else ""
            reason = f"no case is scored in both runs{live}"
            return RuleVerdict(text, group.prompt, group.target, "not judged", reason=reason)
        reason = f"{found.wins} higher, {found.losses} lower, {found.ties} equal"
        if found.low is None:
            reason = found.method
        elif pairs.missing:
            reason += f", {len(pairs.missing)} without a value on one side"
        if name in self._otherwise:
            verdict, reason = "inconclusive", f"the baseline measured {name!r} otherwise: evaluate it with this suite"
        place = (group.prompt, group.target)
        flipped = (found.wins + found.losses) / found.n if found.n and aggregate == "pass_rate" else None
        low, high = found.low, found.high
        return RuleVerdict(text, *place, verdict, found.difference, low, high, found.n, reason, flipped)

    def _pairs(self, group: GroupTally, results: Iterable[CellResult], name: str, aggregate: str) -> Pairs:
        tally = group.evaluators.get(name)
        pairs = Pairs(known=ANY if tally is None else tally.reach(aggregate), unchanged=True)
        numbers: dict[str, int] = {}
        for result in results:
            if (result.prompt, result.target) != (group.prompt, group.target) or self._baseline is None:
                continue
            before = self._baseline.cell(result)
            if before is None or "unmeasured" in (status_of(before, name), status_of(result, name)):
                continue
            old, new = value_of(before, name, aggregate), value_of(result, name, aggregate)
            pairs.add(old, new, numbers.setdefault(result.case_id, len(numbers)))
            pairs.unchanged &= before.node_keys == result.node_keys and old == new
        return pairs


def _held(tally: EvaluatorTally, aggregate: str, confidence: float) -> Estimate | None:
    """The figure that a limit is held against: a rate with exact ends, since either of them may decide alone."""
    if aggregate == "pass_rate":
        return exact_proportion(tally.verdicts.values, clusters=tally.verdicts.cases, confidence=confidence)
    return estimated(tally, aggregate, confidence)


def _without_interval(rule: GateRule, found: Estimate, aggregate: str, confidence: float) -> tuple[Verdict, str]:
    """The verdict on a figure that the data cannot bound, and why."""
    if aggregate in QUANTILES:
        kept = keeps(found.value, minimum=rule.min, maximum=rule.max)
        return (
            "not judged" if kept else "inconclusive",
            f"{found.n} {'cases' if 'each case' in found.method else 'measurements'} are too few for an interval",
        )
    verdict = judge_unbounded(found, confidence, minimum=rule.min, maximum=rule.max)
    if found.method != EQUAL:
        return verdict, found.method
    told = f"all {found.n} cases have the value {found.value:g}"
    name = (rule.metric or "").partition(".")[0]
    hint = f"which bounds no mean: give {name!r} a `min` or `max`, and hold its pass_rate against a limit"
    return verdict, told if verdict == "fail" else f"{told}, {hint}"


def status_of(result: CellResult, name: str) -> str:
    """Status of one evaluator; a cell without an answer failed for all of them."""
    if result.status == "failed":
        return "failed"
    return result.evaluations[name].status if name in result.evaluations else "unmeasured"


def value_of(result: CellResult, name: str, aggregate: str) -> float | None:
    """What a cell counts as in an aggregate; None: it was not scored, or has no such part."""
    evaluation = result.evaluations.get(name)
    if evaluation is None or evaluation.status != "scored":
        return None
    if aggregate == "pass_rate":
        return None if evaluation.passed is None else float(evaluation.passed)
    return evaluation.value if aggregate in ("mean", *QUANTILES) else evaluation.parts.get(aggregate)


def _not_corrected(tally: EvaluatorTally, name: str) -> str:
    if tally.calibration is None:
        return f"{name!r} is not calibrated: use `llmops judge calibrate`"
    return uncorrected(tally) or "labels of another kind, or too few of them"


def _possible(tally: EvaluatorTally, aggregate: str) -> Bounds | None:
    """Smallest and largest value that a failed evaluation could have had; None: not known, or it is not asked."""
    if aggregate in ("pass_rate", "corrected_pass_rate") or OVER_TRIES.fullmatch(aggregate):
        return 0.0, 1.0
    if aggregate in QUANTILES:
        return ANY_VALUE
    return closed(tally.reach(aggregate)) if aggregate == "mean" or aggregate in tally.parts else None


def _filled(tally: EvaluatorTally, aggregate: str, value: float) -> EvaluatorTally:
    """The values behind an aggregate, with one in place of each failed evaluation."""
    if aggregate == "pass_rate" or OVER_TRIES.fullmatch(aggregate):
        return replace(tally, verdicts=tally.verdicts.filled(tally.missing, value))
    if aggregate in tally.parts:
        return replace(tally, parts={aggregate: tally.parts[aggregate].filled(tally.missing, value)})
    if aggregate == "corrected_pass_rate" and tally.calibration is not None:
        extreme = tally.calibration.extreme(passes=bool(value))
        return replace(tally, unlabelled=tally.unlabelled.filled(tally.missing, extreme))
    return replace(tally, values=tally.values.filled(tally.missing, value))


def rule_text(rule: GateRule) -> str:
    """A rule as a sentence."""
    if (asked := rule.of_cases) is not None:
        key, tags = asked
        return f"{key.replace('_', ' ')} in {', '.join(sorted(tags))}" if tags else key.replace("_", " ")
    if rule.min is None and rule.max is None:
        verb = "non-inferior to" if rule.non_inferior_to else "superior to"
        return f"{rule.metric} {verb} baseline, margin {rule.margin:g}"
    parts = [f">= {rule.min:g}" if rule.min is not None else "", f"<= {rule.max:g}" if rule.max is not None else ""]
    return f"{rule.metric} {' and '.join(part for part in parts if part)}"
