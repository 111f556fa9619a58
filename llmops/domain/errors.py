"""Every error that llmops raises on purpose, with the exit code it ends in.

- LlmopsError
  - UsageError                 wrong option, unknown name                          exit 2
    - InvalidFiles             one or more problems in files that the user wrote   exit 2
    - MissingCredential        a hosted model without its key                      exit 2
    - MissingExtra             an optional dependency is not installed             exit 2
  - StoreError                 the store cannot be read or written                 exit 2
  - TemplateError              a template that cannot be rendered                  a failed cell
  - RetrievalError             an index that cannot be built or read               exit 2
  - PromotionRefused           a protected label without evidence                   exit 1
  - RunIncomplete              coverage under the floor, dead endpoint             exit 3
  - BudgetSpent                nothing was made before the budget ended            exit 5
  - ModelError                 one call that did not give an answer                a failed cell
    - RateLimited, ModelTimeout, Unavailable, BadResponse      worth another try
    - EndpointDown, Refused, NoAccess, ContextOverflow, NoText, WorkerLost, FunctionFailed   not worth another try
"""

from collections.abc import Sequence

from llmops.domain.records import record


class LlmopsError(Exception):
    """Base of all errors that are explained to the user without a traceback."""

    exit_code = 2

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        """The next step, as one sentence."""

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


class UsageError(LlmopsError):
    """The command or a name in it cannot be used as written."""


class NothingSelected(UsageError):
    """The options leave no case of a suite."""


class NothingFailed(NothingSelected):
    """`--failed` leaves none, because every case has passed: no fault of the user, so that `eval` ends well."""


@record
class Problem:
    """One thing that is wrong in one place of a file that the user wrote."""

    file: str
    """Path as the user would type it, relative to the project root."""
    message: str
    """What was found and what was expected."""
    line: int | None = None
    """1-based."""
    column: int | None = None
    """1-based."""
    key: str | None = None
    """Dotted path of the key inside the file, such as `models.small.price`."""
    hint: str | None = None
    """The next step, often the nearest valid name."""

    @property
    def place(self) -> str:
        """`file:line:column`, as compilers and editors write it."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def __str__(self) -> str:
        key = f"`{self.key}`: " if self.key else ""
        hint = f"\n    {self.hint}" if self.hint else ""
        return f"{self.place}: {key}{self.message}{hint}"


class InvalidFiles(UsageError):
    """Files of the project that do not hold what they should."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class MissingCredential(UsageError):
    """A hosted model whose key is not set."""


class MissingExtra(UsageError):
    """Code that is needed lives in an extra that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the `{extra}` extra.", hint=f'Install it: pip install "llmops[{extra}]"')
        self.extra = extra


class StoreError(LlmopsError):
    """The store is unwritable, corrupt, or written by a newer llmops."""


class TemplateError(LlmopsError):
    """A template that cannot be parsed, or cannot be rendered with these variables; its message begins with the place."""

    def __init__(self, message: str, *, file: str | None = None, line: int | None = None, hint: str | None = None) -> None:
        place = ":".join(str(part) for part in (file, line) if part is not None)
        super().__init__(f"{place}: {message}" if place else message, hint=hint)
        self.file = file
        self.line = line
        """1-based."""


class RetrievalError(LlmopsError):
    """An index that cannot be built, opened or queried."""


class PromotionRefused(LlmopsError):
    """A protected label may not move: text that it would name has not passed the gates that guard it."""

    exit_code = 1


class RunIncomplete(LlmopsError):
    """Too few cells could be measured for a verdict."""

    exit_code = 3
    spent_usd = 0.0
    """By the run."""


class BudgetSpent(LlmopsError):
    """The budget was spent before there was anything to show for it."""

    exit_code = 5


class ModelError(LlmopsError):
    """One call to a model that gave no usable answer."""

    exit_code = 3
    retryable = False
    attempts = 1
    """Calls that were made before giving up."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s
        """When another try is worth it, as the server says."""

    @property
    def kind(self) -> str:
        """The class name, recorded with the failed cell."""
        return type(self).__name__


class RateLimited(ModelError):
    """HTTP 429, or the provider's equivalent."""

    retryable = True


class ModelTimeout(ModelError):
    """No complete answer within the model's `timeout_s`."""

    retryable = True


class Unavailable(ModelError):
    """Connection refused or reset, or HTTP 5xx."""

    retryable = True


class EndpointDown(Unavailable):
    """Nothing has answered for a while, so nothing more is sent."""

    retryable = False


class BadResponse(ModelError):
    """An answer that is not what the protocol promises: malformed, truncated or empty."""

    retryable = True


class Refused(ModelError):
    """HTTP 4xx: the provider understood the request and will not serve it."""


class NoAccess(Refused):
    """The key, the account or the name of the model is at fault, whatever the request."""

    STATUSES = (401, 402, 404)


class ContextOverflow(ModelError):
    """The prompt is longer than the model's context window."""


class NoText(ModelError):
    """The answer ended before its first word, and would again: its tokens are used up, or a filter withholds it."""


class FunctionFailed(ModelError):
    """A function of the user's that answers in place of a model raised, or returned what is no answer."""


class WorkerLost(ModelError):
    """The process that worked on it has gone; it was tried on another worker already when a cell fails with this."""
