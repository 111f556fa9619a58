"""Values of a prompt's variables: those of `--var`, or of a case of a dataset."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.cli.session import Session
from llmops.domain.errors import UsageError
from llmops.domain.prompts import Message
from llmops.domain.retrieval import Hit, given_hits

if TYPE_CHECKING:
    from llmops.prompting.template import PromptVersion

VarOption = Annotated[list[str] | None, typer.Option("--var", help="NAME=VALUE; of a variable of type image NAME=FILE.")]
CaseOption = Annotated[str | None, typer.Option("--case", help="Take the variables of this case.")]
DatasetOption = Annotated[str | None, typer.Option("--dataset", help="The file that holds the case.")]


def rendered(
    session: Session, version: "PromptVersion", var: list[str] | None, case: str | None, dataset: str | None
) -> tuple[Message, ...]:
    """The messages for these values; `contexts` are the case's own, nothing is searched for."""
    if case is None and dataset is not None:
        raise UsageError("--dataset needs --case ID: which case of it?")
    values, hits = _case(session, case, dataset) if case is not None else ({}, ())
    values |= dict(_value(session, item, version) for item in var or ())
    return version.render(values, hits)


def assignment(item: str) -> tuple[str, str]:
    """The name and the value of one `--var`."""
    name, equals, value = item.partition("=")
    if not equals or not name:
        raise UsageError(f"--var {item!r}: NAME=VALUE was expected.")
    return name, value


def _value(session: Session, item: str, version: "PromptVersion") -> tuple[str, Any]:
    from llmops.evaluation.case_files import read_file
    from llmops.prompting.variables import BadValue, from_text
    from llmops.settings.validation import nearest

    name, text = assignment(item)
    if name not in version.variables:
        if name not in version.used_variables:
            known = version.used_variables | set(version.variables)
            raise UsageError(f"--var {item!r}: the prompt {version.name!r} has no such variable.", hint=nearest(name, known))
        return name, text
    variable = version.variables[name]
    try:
        if variable.type == "image":
            image = read_file(session.start / text, session.project.root)
            if problem := variable.problem_with(image):
                raise BadValue(problem)
            return name, image
        return name, from_text(variable, text)
    except BadValue as error:
        raise UsageError(f"--var {item!r}: `{name}` {error}.") from None


def _case(session: Session, case_id: str, dataset: str | None) -> tuple[dict[str, Any], tuple[Hit, ...]]:
    if dataset is None:
        raise UsageError("--case needs --dataset FILE.")
    from llmops.evaluation.datasets import load_dataset

    root = session.project.root
    here = session.start / dataset
    for case in load_dataset(here if here.is_file() else root / dataset, root).cases():
        if case.id == case_id:
            return dict(case.begun().vars), given_hits(case.contexts)
    raise UsageError(f"{dataset} has no case {case_id!r}.")
