"""What each policy does next, given what came back."""

from collections.abc import Mapping, Sequence
from datetime import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.domain.models import RoutedCall
from llmops.domain.routing import Ask, Policy, Reply, RouteRequest, Serve
from llmops.routing.memory import RouteMemory
from llmops.routing.policies import Bandit, Budget, Cascade, Fixed, Learned, Length, Rules, Shadow, Split
from llmops.settings.routes import Condition, Rule


def asked(policy: Policy, request: RouteRequest, replies: Mapping[str, Sequence[Reply]]) -> tuple[list[str], str]:
    """The models that were asked, and the one that was served; each gives its replies in order."""
    waiting = {model: list(each) for model, each in replies.items()}
    came: list[Reply] = []
    models: list[str] = []
    while isinstance(step := policy.next(request, came), Ask):
        models.append(step.model)
        came.append(waiting[step.model].pop(0) if waiting.get(step.model) else Reply(step.model, "fine"))
        assert len(models) < 20
    return models, came[step.reply].model


def about(
    text: str = "How?", *, key: str = "k", tags: tuple[str, ...] = (), spent: float = 0.0, hour: int = 12
) -> RouteRequest:
    return RouteRequest(text, key, tags, spent, time(hour))


@pytest.mark.parametrize(
    ("policy", "request_", "model"),
    [
        (Fixed("a"), about(), "a"),
        (Length("a", "b", 5), about("How?"), "a"),
        (Length("a", "b", 5), about("How so?"), "b"),
        (Budget("a", "b", 1.0), about(spent=0.99), "a"),
        (Budget("a", "b", 1.0), about(spent=1.0), "b"),
    ],
)
def test_one_look_is_enough(policy: Policy, request_: RouteRequest, model: str) -> None:
    assert asked(policy, request_, {}) == ([model], model)


@pytest.mark.parametrize(
    ("when", "fits", "does_not"),
    [
        ({"tag": "hard"}, about(tags=("hard",)), about()),
        ({"matches": "(?i)contract"}, about("My Contract?"), about()),
        ({"tokens_above": 2}, about("one two three"), about("one two")),
        ({"pii": True}, about("Mail jane@example.org"), about()),
        ({"pii": False}, about(), about("Mail jane@example.org")),
        ({"language": "de"}, about("Wie lange ist die Garantie und wo steht das?"), about("How long is the warranty?")),
        ({"hours": "22:00-06:00"}, about(hour=23), about(hour=12)),
        ({"hours": "08:00-18:00"}, about(hour=8), about(hour=18)),
        ({"tag": "hard", "pii": False}, about(tags=("hard",)), about("jane@example.org", tags=("hard",))),
    ],
)
def test_the_first_rule_that_fits_decides(when: dict[str, object], fits: RouteRequest, does_not: RouteRequest) -> None:
    policy = Rules((Rule(when=Condition.model_validate(when), use="b"),), "a", lambda text: len(text.split()))
    assert asked(policy, fits, {})[1] == "b"
    assert asked(policy, does_not, {})[1] == "a"


def test_a_cascade_escalates_on_what_did_not_pass_and_on_errors() -> None:
    policy = Cascade(("a", "b", "c"))
    assert asked(policy, about(), {"a": [Reply("a", "x", checks={"refusal": True})]}) == (["a"], "a")
    failed = Reply("a", "x", checks={"refusal": False})
    assert asked(policy, about(), {"a": [failed]}) == (["a", "b"], "b")
    assert asked(policy, about(), {"a": [failed], "b": [Reply("b", None, "ModelTimeout")]}) == (["a", "b", "c"], "c")
    step = policy.next(about(), [failed])
    assert step == Ask("b", "a did not pass refusal")


def test_when_the_last_model_fails_the_best_that_there_is_is_served() -> None:
    policy = Cascade(("a", "b"))
    failed, dead = Reply("a", "x", checks={"refusal": False}), Reply("b", None, "Unavailable")
    assert policy.next(about(), [failed, dead]) == Serve(0, "the last model: b: Unavailable")
    assert policy.next(about(), [Reply("a", None, "ModelTimeout"), dead]) == Serve(1, "the last model: b: Unavailable")
    refused = Reply("b", "x", checks={"refusal": False})
    assert policy.next(about(), [failed, refused]) == Serve(1, "the last model: b did not pass refusal")


def test_a_cascade_that_would_come_back_to_a_model_is_not_built() -> None:
    with pytest.raises(ValueError, match="for ever"):
        Cascade(("a", "b", "a"))


def test_samples_that_disagree_escalate() -> None:
    policy = Cascade(("a", "b"), agreement=0.6, samples=3)
    same = [Reply("a", "It is 5."), Reply("a", "it is 5"), Reply("a", "no")]
    assert asked(policy, about(), {"a": same}) == (["a"] * 3, "a")
    apart = [Reply("a", "5"), Reply("a", "6"), Reply("a", "7")]
    assert asked(policy, about(), {"a": apart}) == (["a"] * 3 + ["b"], "b")


def samples(*answers: str | None, failing: Sequence[str] = ()) -> list[Reply]:
    """What the model `a` says, None for a failure, and whether that is short enough."""
    return [
        Reply("a", None, "ModelTimeout") if each is None else Reply("a", each, checks={"short": each not in failing})
        for each in answers
    ]


def test_what_most_samples_say_is_served() -> None:
    policy = Cascade(("a", "b"), agreement=0.6, samples=3)
    assert policy.next(about(), samples("4", "It is 5.", "it is 5")) == Serve(1, "passed short")
    assert policy.next(about(), samples("5", None, "5")) == Serve(0, "passed short")
    assert Cascade(("a", "b"), agreement=0.5, samples=4).next(about(), samples("4", "5", "5", "4")) == Serve(0, "passed short")


def test_samples_without_an_answer_agree_with_nothing() -> None:
    policy = Cascade(("a", "b"), agreement=0.6, samples=3)
    for answer in ("yes", "", "-"):
        step = policy.next(about(), samples(answer, None, None))
        assert step == Ask("b", "a agrees with itself in 33 % of its answers")


def test_what_most_samples_say_has_to_pass_the_checks() -> None:
    policy = Cascade(("a", "b"), agreement=0.6, samples=3)
    assert policy.next(about(), samples("4", "5", "5", failing=["5"])) == Ask("b", "a did not pass short")
    assert policy.next(about(), samples("4", failing=["4"])) == Ask("b", "a did not pass short")


def test_when_the_last_model_fails_what_most_samples_say_is_served() -> None:
    policy = Cascade(("a", "b"), agreement=0.9, samples=3)
    dead = Reply("b", None, "Unavailable")
    assert policy.next(about(), [*samples("4", "5", "5"), dead]) == Serve(1, "the last model: b: Unavailable")
    assert policy.next(about(), [*samples("5", "5", None), dead]) == Serve(0, "the last model: b: Unavailable")


def test_a_shadow_is_asked_and_never_served() -> None:
    assert asked(Shadow("a", "b"), about(), {}) == (["a", "b"], "a")
    assert asked(Shadow("a", "b"), about(), {"b": [Reply("b", None, "Unavailable")]}) == (["a", "b"], "a")


def learned(weight: float, *, strange: bool = False) -> Learned:
    return Learned(("a", "b"), (1.0, 10.0), weight, "b", lambda text: ((0.6, 0.9), strange))


def test_the_learned_policy_weighs_quality_against_cost_and_abstains_to_the_strong_model() -> None:
    assert asked(learned(0.0), about(), {})[1] == "b"
    assert asked(learned(0.1), about(), {})[1] == "a"
    assert asked(learned(0.1, strange=True), about(), {})[1] == "b"


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_cost_weight_never_chooses_a_dearer_model(quality: list[float], one: float, other: float) -> None:
    def cost(weight: float) -> float:
        policy = Learned(("a", "b"), (1.0, 10.0), weight, "b", lambda text: (quality, False))
        return {"a": 1.0, "b": 10.0}[asked(policy, about(), {})[1]]

    low, high = sorted((one, other))
    assert cost(high) <= cost(low)


def test_a_split_keeps_its_shares_and_treats_a_key_alike() -> None:
    policy = Split("r", {"a": 3.0, "b": 1.0})
    served = [asked(policy, about(key=str(number)), {})[1] for number in range(4000)]
    assert served.count("b") / len(served) == pytest.approx(0.25, abs=0.03)
    assert served == [asked(policy, about("another", key=str(number)), {})[1] for number in range(4000)]
    first, last = (policy.next(about(key="user-0"), replies) for replies in ([], [Reply("a", "fine")]))
    assert (first.reason, last.reason) == ("its share of the keys", "the only answer")


def test_two_splits_share_out_the_keys_independently() -> None:
    first, second = (Split(name, {"old": 0.5, "new": 0.5}) for name in ("answers", "summaries"))
    served = [[asked(policy, about(key=str(number)), {})[1] for policy in (first, second)] for number in range(4000)]
    assert served.count(["new", "new"]) / len(served) == pytest.approx(0.25, abs=0.03)


def asks(bandit: Bandit, memory: RouteMemory, number: int) -> str:
    step = bandit.next(RouteRequest("?", f"k{number}", tallies=memory.tallies), [])
    assert isinstance(step, Ask)
    return step.model


def live(bandit: Bandit, chances: Mapping[str, float], costs: Mapping[str, float], rounds: int) -> list[str]:
    """What a bandit asks, one request after the other, when answers pass by these chances."""
    memory, draw = RouteMemory(), Random(7)
    asked = []
    for number in range(rounds):
        model = asks(bandit, memory, number)
        asked.append(model)
        memory.note([RoutedCall(model, "", 0.1, costs[model], served=True, passed=draw.random() < chances[model])])
    return asked


def test_a_bandit_finds_the_better_model_and_keeps_looking_at_the_other() -> None:
    late = live(Bandit(("a", "b"), 0.0, 0.05), {"a": 0.5, "b": 0.8}, {"a": 0, "b": 0}, 1500)[500:]
    assert late.count("b") > 0.9 * len(late)
    assert late.count("a") > 0.02 * len(late)


def test_a_bandit_weighs_cost() -> None:
    dear = live(Bandit(("a", "b"), 0.1, 0.0), {"a": 0.6, "b": 0.8}, {"a": 0, "b": 0.005}, 1500)[500:]  # b: 0.8 - 0.5
    assert dear.count("a") > 0.9 * len(dear)


def test_a_bandit_takes_an_error_for_a_bad_answer_and_a_grade_for_more_than_checks() -> None:
    memory = RouteMemory()
    memory.note(
        [RoutedCall("a", "", 0, 0, error="Unavailable"), RoutedCall("b", "", 0, 0.5, served=True, passed=True)], quality=0.25
    )
    assert (memory.tallies["a"].good, memory.tallies["a"].bad) == (0, 1)
    assert (memory.tallies["b"].good, memory.tallies["b"].bad, memory.spent_usd) == (0.25, 0.75, 0.5)


def test_a_bandit_is_a_function_of_what_it_sees() -> None:
    memory = RouteMemory()
    assert [asks(Bandit(("a", "b"), 0, 0.1), memory, n) for n in range(50)] == [
        asks(Bandit(("a", "b"), 0, 0.1), memory, n) for n in range(50)
    ]
