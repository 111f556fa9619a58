"""Builds the routes of a project: policies with the models, checks and fitted routers that they need."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from llmops.domain.errors import InvalidFiles, Problem
from llmops.domain.keys import node_key
from llmops.domain.ports import Embedder
from llmops.evaluation.evaluators.base import BuiltEvaluator, Services
from llmops.evaluation.evaluators.catalogue import build_evaluators
from llmops.evaluation.planning import Route, Target
from llmops.routing.artefacts import MANIFEST, SavedRouter, load_manifest, load_router, router_identity
from llmops.routing.policies import Learned, Split, policy_of
from llmops.settings.indexes import EmbedderSettings
from llmops.settings.project import Project
from llmops.settings.routes import CascadeRoute, CheckedRoute, LearnedRoute, as_written, key_of_checks
from llmops.settings.suite import evaluator_specs
from llmops.workflows.differences import targets as changed_targets

if TYPE_CHECKING:
    from llmops.adapters.tiktoken_tokenizer import TiktokenTokenizer

ROUTE_VERSION = 2


class Routes:
    """The routes of a project."""

    def __init__(
        self,
        project: Project,
        model: Callable[[str], Target],
        embedder: Callable[[EmbedderSettings], Embedder],
        services: Callable[[], Services],
    ) -> None:
        """Args: `model` builds a model; `embedder` what a fitted router reads with; `services` what checks may ask."""
        self._project = project
        self._model = model
        self._embedder = embedder
        self._services = services
        self._tokenizer: TiktokenTokenizer | None = None

    def route(self, name: str) -> Route:
        """The policy of that name with the models that it chooses between.

        Raises:
            UsageError: no such route.
            InvalidFiles: its checks or its fitted router cannot be used.
        """
        settings = self._project.route(name)
        targets = {model: self._model(model) for model in settings.models}
        checks = self._checks(name, settings) if isinstance(settings, CheckedRoute) else []
        policy = policy_of(name, settings, lambda text: self._token_count(text), self._learned)
        facts = {
            "settings": settings.model_dump(mode="json"),
            "models": {each.name: [each.identity, dict(each.params)] for each in targets.values()},
            "checks": [[each.identity, each.limits, each.spec.common.negate] for each in checks],
            "router": router_identity(self._project.root / settings.router) if isinstance(settings, LearnedRoute) else "",
            **({"name": name} if isinstance(policy, Split) else {}),
        }
        notes = self._outdated(name, settings, targets) if isinstance(settings, LearnedRoute) else ()
        return Route(node_key("route", ROUTE_VERSION, facts), policy, targets, tuple(checks), notes)

    def _checks(self, name: str, settings: CheckedRoute) -> list[BuiltEvaluator]:
        positions, at = self._project.positions, ("routes", name, key_of_checks(settings))
        try:
            specs = evaluator_specs(settings.checks, positions, at)
            return build_evaluators(specs, positions, self._services()) if specs else []
        except InvalidFiles as error:
            raise InvalidFiles(
                [as_written(each) if isinstance(settings, CascadeRoute) else each for each in error.problems]
            ) from None

    def _token_count(self, text: str) -> int:
        from llmops.adapters.tiktoken_tokenizer import TiktokenTokenizer

        if self._tokenizer is None:
            self._tokenizer = TiktokenTokenizer()
        return self._tokenizer.count(text)

    def _outdated(self, name: str, settings: LearnedRoute, targets: Mapping[str, Target]) -> tuple[str, ...]:
        """That a model or its price is not what a router was fitted on; what was not recorded is not compared."""
        asked = load_manifest(self._project.root / settings.router, self._project.root).get("asked", {})
        now = {model: {key: targets[model].facts.get(key) for key in facts} for model, facts in asked.items()}
        found = changed_targets({"targets": asked}, {"targets": now})
        again = f"llmops eval, then llmops route fit --out {settings.router}"
        told = f"the route {name} was fitted before this changed: {'; '.join(found.values())}. Fit it again: {again}"
        return (told,) if found else ()

    def _learned(self, settings: LearnedRoute) -> Learned:
        """A fitted router, read when the first decision is asked for."""
        folder = self._project.root / settings.router
        loaded: list[SavedRouter] = []
        head = load_manifest(folder, self._project.root)
        missing = set(head["models"]) ^ set(settings.models)
        if missing:
            found = f"was fitted over {', '.join(head['models'])}, and the route names {', '.join(settings.models)}."
            raise InvalidFiles([Problem(f"{settings.router}/{MANIFEST}", found, hint="Name the same models, or fit it again.")])

        def predict(text: str) -> tuple[list[float], bool]:
            if not loaded:
                loaded.append(load_router(folder, self._project.root))
            embedder = self._embedder(EmbedderSettings.model_validate({"kind": head["embedder"]}))
            return loaded[0].expected(text, embedder.embed([text])[0])

        weight = head["cost_weight"] if settings.cost_weight is None else settings.cost_weight
        return Learned(tuple(head["models"]), tuple(head["costs"]), weight, head["strong"], predict)
