"""Policies are replayed on recorded answers without looking at what they are judged on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from llmops.domain.route_reports import PolicyReport
from llmops.domain.routing import Policy
from llmops.routing.features import shape
from llmops.routing.learning import Features, Settings, chosen_settings, cross_predicted, fit, folds_of
from llmops.routing.policies import Bandit, Budget
from llmops.routing.recorded_routes import RecordedRoute
from llmops.routing.records import Answered, RecordedRow, Records, ends_of, records_of
from llmops.routing.replaying import Ends, Replay
from llmops.workflows.route import priced

DRAW = np.random.default_rng(1)
HARD = DRAW.random(600) < 0.5
VECTORS = np.array([[1.0, 0.0] if hard else [0.0, 1.0] for hard in HARD]) + DRAW.normal(0, 0.05, (600, 2))
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
FEATURES = Features(VECTORS, np.zeros((600, 3)))


def recorded(*, signal: bool = True) -> Records:
    """The small model is right on easy requests, the large one nearly always; the signal tells which, with noise."""
    rows = []
    for number, hard in enumerate(HARD):
        small, large = float(not hard), float(number % 20 != 0)
        signals = {"doubt": float(hard) + 0.001 * number} if signal else {}
        models = {
            "small": Answered(quality=small, cost=0.001, latency=0.1, signals=signals),
            "large": Answered(quality=large, cost=0.01, latency=1.0, signals={}),
        }
        rows.append(RecordedRow(id=number, prompt="x" * (number % 7 + 1), models=models, tags=["hard" if hard else "easy"]))
    return records_of(rows)


def replayed(records: Records, features: Features | None = None, keep: float = 0.95) -> dict[str, PolicyReport]:
    weak, strong = ends_of(records, None, None)
    return {each.name: each for each in Replay(records, Ends(weak, strong, keep)).policies(features)}


def test_fixed_policies_cost_what_was_recorded() -> None:
    found = replayed(recorded())
    small, large = found["always small"], found["always large"]
    assert small.cost == pytest.approx(1.0)
    assert large.cost == pytest.approx(10.0)
    assert small.quality == pytest.approx(1 - HARD.mean())
    assert (large.latency_p50_s, large.share) == (1.0, {"small": 0.0, "large": 1.0})
    assert large.kept == 1.0
    assert large.intervals["quality"][0] < 0.95 < large.intervals["quality"][1] + 0.01


def test_a_cascade_pays_and_waits_for_both_calls() -> None:
    found = replayed(recorded())["cascade doubt"]
    large = found.share["large"]
    assert found.cost == pytest.approx(1000 * (0.001 + 0.01 * large))
    assert found.latency_p95_s == pytest.approx(1.1)
    assert found.kept is not None
    assert found.kept >= 0.94
    assert large < 0.6


def test_a_signal_that_was_not_recorded_is_not_estimated() -> None:
    records = recorded()
    records.signals["doubt"][3, 0] = np.nan
    found = replayed(records)["cascade doubt"]
    assert found.quality is None
    assert "not replayable" in found.note


def test_the_learned_router_finds_what_the_vectors_tell() -> None:
    found = replayed(recorded(), FEATURES)
    assert found["learned"].apgr == pytest.approx(found["oracle"].apgr, abs=0.08)
    assert found["random"].apgr == pytest.approx(0.5, abs=0.08)
    gained = found["learned"].better_than_random
    assert gained is not None
    assert gained[0] > 0.1
    chance = found["random"].better_than_random
    assert chance is not None
    assert chance[0] < 0 < chance[1]


def test_what_cannot_be_learned_is_not_learned_from_the_judged_rows() -> None:
    draw = np.random.default_rng(2)
    noise = records_of(
        [
            RecordedRow(
                id=number,
                prompt="x",
                models={m: Answered(quality=float(draw.random() < q)) for m, q in (("small", 0.4), ("large", 0.6))},
            )
            for number in range(600)
        ]
    )
    vectors = draw.normal(size=(600, 50))
    features = Features(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.zeros((600, 1)))
    assert replayed(noise, features)["learned"].apgr == pytest.approx(0.5, abs=0.15)


def test_shares_sum_to_one_and_the_order_of_rows_does_not_matter() -> None:
    records = recorded()
    found = replayed(records)
    assert all(sum(each.share.values()) == pytest.approx(1) for each in found.values())
    order = np.random.default_rng(3).permutation(600)
    pick: Sequence[int] = order.tolist()
    shuffled = replace(
        records,
        ids=tuple(records.ids[i] for i in pick),
        prompts=tuple(records.prompts[i] for i in pick),
        quality=records.quality[order],
        cost=records.cost[order],
        latency=records.latency[order],
        groups=tuple(records.groups[i] for i in pick),
        signals={"doubt": records.signals["doubt"][order]},
    )
    again = replayed(shuffled)
    for name in ("always small", "length", "cascade doubt", "oracle"):
        assert again[name].quality == pytest.approx(found[name].quality)
        assert again[name].apgr == pytest.approx(found[name].apgr) if found[name].apgr is not None else True


def replayed_route(records: Records, policy: Policy, *checks: str) -> PolicyReport:
    return list(Replay(records, Ends(0, 1, 0.95)).policies(None, {"r": RecordedRoute(policy, checks)}))[-2]


def unpriced(count: int = 40) -> Records:
    """Both models pass; what they cost was not recorded."""
    models = {name: Answered(quality=1.0, checks={"refusal": True}) for name in ("small", "large")}
    return records_of([RecordedRow(id=number, prompt="x", models=models) for number in range(count)])


def test_a_budget_is_replayed_at_the_prices_that_are_asked_for() -> None:
    records = priced(unpriced(), {"small": 1.0, "large": 100.0})  # $0.10 a request of the large model
    found = replayed_route(records, Budget("large", "small", 1.0))
    assert found.share["large"] == pytest.approx(11 / 40)  # ten tenths of a dollar are a little less than one
    assert found.cost == pytest.approx(1000 * (11 * 0.1 + 29 * 0.001) / 40)


def test_a_bandit_is_replayed_at_the_prices_that_are_asked_for() -> None:
    records = priced(unpriced(200), {"small": 0.0, "large": 100.0})
    assert replayed_route(records, Bandit(("small", "large"), 0.01, 0.0), "refusal").share["small"] > 0.9


def test_a_route_that_weighs_cost_is_not_replayed_without_it() -> None:
    for policy in (Budget("large", "small", 1.0), Bandit(("small", "large"), 0.01, 0.0)):
        found = replayed_route(unpriced(), policy)
        assert (found.quality, found.note[-12:]) == (None, "is not known")
    assert replayed_route(unpriced(), Bandit(("small", "large"), 0.0, 0.0), "refusal").quality == 1.0


def one_failed(*, cost: float | None = 0.1, failed_cost: float | None = None) -> Records:
    """Forty requests; the large model gave no answer to the fourth, and takes one second longer for each of the others."""
    large = [Answered(quality=1.0, cost=cost, latency=float(number)) for number in range(40)]
    large[3] = Answered(quality=0.0, cost=failed_cost, answered=False)
    small = Answered(quality=0.5, cost=0.001, latency=0.5)
    return records_of([RecordedRow(id=n, prompt="x", models={"small": small, "large": large[n]}) for n in range(40)])


def test_a_failed_answer_counts_as_the_mean_of_the_known_costs() -> None:
    found = replayed(one_failed())["always large"]
    assert one_failed().assumed == {"large": 1}
    assert found.cost == pytest.approx(100.0)
    assert found.quality == 39 / 40
    assert found.latency_p50_s == np.median([float(number) for number in range(40) if number != 3])
    assert replayed(one_failed())["always small"].latency_p95_s == 0.5


def test_what_a_failed_answer_is_known_to_have_cost_is_taken() -> None:
    records = one_failed(failed_cost=0.5)
    assert records.assumed == {}
    assert replayed(records)["always large"].cost == pytest.approx(1000 * (39 * 0.1 + 0.5) / 40)


def test_nothing_is_assumed_for_a_model_whose_price_is_not_known() -> None:
    records = one_failed(cost=None)
    assert not records.assumed
    assert replayed(records)["always large"].cost is None
    paid = dict(records.answers[0]) | {"large": Answered(quality=1.0, cost=0.1)}
    rows = [RecordedRow(id=n, prompt="x", models=dict(each)) for n, each in enumerate([paid, *records.answers[1:]])]
    assert not records_of(rows).assumed


def test_a_price_is_paid_for_failed_answers_too() -> None:
    records = priced(one_failed(), {"large": 20.0})
    assert not records.assumed
    assert replayed(records)["always large"].cost == pytest.approx(20.0)


def test_one_failed_answer_leaves_the_dearest_model_the_strong_one() -> None:
    records = one_failed()
    records.quality[:, 0] = 1.0  # by quality it would be the small one
    assert ends_of(records, None, None) == (0, 1)


def test_a_budget_counts_what_failed_answers_are_taken_to_cost() -> None:
    assert replayed_route(one_failed(), Budget("large", "small", 0.95)).share["large"] == pytest.approx(10 / 40)


def test_groups_are_never_split() -> None:
    groups = [f"user {number % 40}" for number in range(400)]
    fold = folds_of(groups)
    assert len({(group, int(each)) for group, each in zip(groups, fold, strict=True)}) == 40


def test_each_variant_predicts_qualities_between_0_and_1() -> None:
    quality = recorded().quality
    for settings in (Settings("logistic"), Settings("knn"), Settings("blend")):
        found = fit(FEATURES, quality, settings).predict(FEATURES)
        assert found.shape == quality.shape
        assert ((found >= 0) & (found <= 1)).all()
        assert ((found[:, 1] > found[:, 0]) == HARD).mean() > 0.9


def test_the_variant_that_errs_least_is_chosen() -> None:
    draw = np.random.default_rng(3)
    corner = draw.integers(0, 4, 600)  # the large model is needed in two opposite ones, which no straight line parts
    corners = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    features = Features(corners[corner] + draw.normal(0, 0.05, (600, 2)), np.zeros((600, 3)))
    quality = np.stack([corner % 2 == 0, corner % 2 == 1], axis=1).astype(float)
    assert chosen_settings(features, quality, folds_of([str(i) for i in range(600)])).variant == "knn"


def test_a_strange_prompt_is_called_unfamiliar() -> None:
    router = fit(FEATURES, recorded().quality, Settings("logistic"))
    strange = Features(np.array([[-1.0, 0.0], VECTORS[0].tolist()]), np.zeros((2, 3)))
    assert router.judge(strange)[1].tolist() == [True, False]


def test_predictions_of_a_fold_do_not_see_it() -> None:
    quality = recorded().quality.copy()
    fold = np.arange(600.0) % 2
    before = cross_predicted(FEATURES, quality, fold, Settings("logistic"))
    quality[fold == 0] = 1 - quality[fold == 0]
    after = cross_predicted(FEATURES, quality, fold, Settings("logistic"))
    assert np.allclose(before[fold == 0], after[fold == 0])
    assert not np.allclose(before[fold == 1], after[fold == 1])


def test_a_router_is_not_judged_on_what_it_learned_from() -> None:
    found = replayed(replace(recorded(), groups=("one",) * 600), FEATURES)
    assert (found["learned"].quality, "none is left to learn from" in found["learned"].note) == (None, True)
    assert found["length"].quality is not None


def test_settings_are_chosen_though_the_requests_they_are_chosen_on_are_of_one_group() -> None:
    quality, fold = recorded().quality, np.zeros(600)
    assert chosen_settings(FEATURES, quality, fold) == Settings("logistic")
    with pytest.raises(ValueError, match="one fold"):
        cross_predicted(FEATURES, quality, fold, Settings("logistic"))


def test_the_shape_of_a_prompt_is_finite_for_anything() -> None:
    for prompt in ("", " ", "a" * 10_000, "A) one\nB) two?", "```x```", "\x00\ud800"):
        assert np.isfinite(shape(prompt)).all()


def qualities(small: Sequence[float], large: Sequence[float]) -> Records:
    return records_of(
        [
            RecordedRow(
                id=number,
                prompt="x",
                models={"small": Answered(quality=low, cost=0.001), "large": Answered(quality=high, cost=0.01)},
            )
            for number, (low, high) in enumerate(zip(small, large, strict=True))
        ]
    )


def test_a_loss_that_was_never_seen_may_happen() -> None:
    found = replayed(qualities([1.0] * 20, [1.0] * 20))
    small = found["always small"]
    assert small.kept == 1.0
    assert small.intervals["quality"][0] == pytest.approx(0.839, abs=0.001)  # Wilson's for 20 of 20
    assert small.intervals["kept"][0] < 0.9
    assert found["always large"].intervals["kept"] == (1.0, 1.0)


def test_what_is_kept_of_the_quality_is_seldom_overstated() -> None:
    draw, above, tries = np.random.default_rng(5), 0, 60
    for _ in range(tries):
        lost = draw.random(60) < 0.03
        replay = Replay(qualities((~lost).astype(float).tolist(), [1.0] * 60), Ends(0, 1, 0.95))
        small = next(each for each in replay.policies(None) if each.name == "always small")  # the others are not replayed
        above += small.intervals["kept"][0] > 0.97
    assert above / tries <= 0.05  # the ends of a bootstrap lie above the truth in a fifth of the tries


def test_what_is_gained_over_the_current_policy_is_told_of_the_others() -> None:
    replay = Replay(qualities([1.0, 0.0] * 20, [1.0] * 40), Ends(0, 1, 0.95))
    policies = tuple(replay.policies(None))
    found = {each.name: each.over_current for each in replay.against("always small", policies)}
    assert found["always small"] is None
    gained = found["always large"]
    assert gained is not None
    assert 0.3 < gained[0] < 0.5 < gained[1] < 0.7
