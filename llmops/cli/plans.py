"""What a command line would have run: the suites with a case to run, and the work that each of them takes."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from llmops.cli.printing import print_json
from llmops.cli.progress import ShownProgress
from llmops.cli.session import Session
from llmops.domain.cases import FIELDS
from llmops.domain.errors import InvalidFiles, NothingFailed, NothingSelected, Problem, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.domain.explanations import Explanation
    from llmops.settings.suite import Suite
    from llmops.workflows.suite_plans import EvaluateOptions


def selected(session: Session, suites: "list[Suite]", options: "EvaluateOptions") -> "list[Suite]":
    """Of several suites those of which a case is to be run; the faults of all of them are told before the first is run.

    Returns:
        None of them where `--failed` chooses, and nothing has failed.

    Raises:
        InvalidFiles: the faults of the suites.
        NothingSelected: no suite has such a case.
        UsageError: a variable of the command line that none of them reads.
    """
    from llmops.workflows.suite_faults import readable
    from llmops.workflows.suite_plans import plan_suite

    if len(suites) == 1 and not options.variables and not options.failed:
        return suites
    found: list[Suite] = []
    known: set[str] = set()
    problems: list[Problem] = []
    empty: list[NothingSelected] = []
    with ShownProgress(session.err, quiet=True) as progress:
        for suite in suites:
            try:
                plan = plan_suite(suite, session.wiring, options, progress)
            except NothingSelected as error:
                empty.append(error)
                if len(suites) > 1 or isinstance(error, NothingFailed):
                    session.err.print(f"{suite.path} is left out: {error.message}", soft_wrap=True)
            except InvalidFiles as error:
                problems += error.problems
            else:
                found.append(suite)
                known |= readable(plan) if options.variables else set()
    if problems:
        raise InvalidFiles(problems)
    fault = next((each for each in empty if not isinstance(each, NothingFailed)), None)
    if fault is not None and not found:
        raise fault
    if found:
        _check_variables(options.variables, known)
    return found


def _check_variables(given: Iterable[str], known: set[str]) -> None:
    """Refuse variables of the command line that nothing reads."""
    from llmops.settings.validation import nearest

    for name in sorted(set(given) - known):
        if name in FIELDS:
            hint = "Change it in the dataset, or name a changed copy: --dataset FILE"
            raise UsageError(f"--var: {name!r} is a case's own field, which no variable replaces.", hint=hint)
        raise UsageError(f"--var: no prompt or evaluator reads {name!r}, and no case has it.", hint=nearest(name, known))


def tell_work(
    session: Session,
    suites: "list[Suite]",
    options: "EvaluateOptions",
    show: "Callable[[Console, Explanation], None]",
    *,
    baseline: str | None = None,
    json: bool,
) -> None:
    """What a run of each suite, and of its baseline before it, would do, as JSON or as `show` prints it."""
    from llmops.workflows.explain import explain
    from llmops.workflows.sides import names_prompts, options_at
    from llmops.workflows.suite_plans import plan_suite

    found = []
    for suite in selected(session, suites, options):
        asked: set[str] = set()
        with ShownProgress(session.err, quiet=True) as progress:
            runs = [options]
            if baseline is not None and names_prompts(baseline):
                before = options_at(baseline, suite, session.wiring, options, progress)
                runs = [each for each in (before, options) if each is not None]
            found += [explain(plan_suite(suite, session.wiring, each, progress), session.wiring, asked) for each in runs]
    if json:
        print_json({"suites": found})
        return
    for each in found:
        show(session.out, each)
