"""Does each claim of an answer stand in the passages? Claims are taken out first, then each is verified by itself."""

from collections.abc import Sequence

from llmops.domain.records import record
from llmops.domain.scores import DetectionRequest, Outcome, Span, Unmeasured
from llmops.evaluation.judging.panel import Grade, Grading, Panel
from llmops.evaluation.judging.prompts import shipped
from llmops.evaluation.judging.quoting import quoted
from llmops.evaluation.judging.replies import Claim, Claims, ClaimVerdict, ClaimVerdicts, in_order


@record
class ClaimCheck:
    """Value 1 when the passages do not support some claim, else 0; parts: `unsupported` (share), `claims` (number)."""

    panel: Panel

    @property
    def identity(self) -> str:
        """The judges and both prompts."""
        return "\n".join((shipped("claims").hash, shipped("verify").hash, self.panel.identity))

    async def outcome(self, request: DetectionRequest) -> Outcome:
        """Ask the judges; the value is computed from their verdicts."""
        if not request.output.strip():
            return Unmeasured("the answer is empty")
        answer = [quoted("question", request.input)] if request.input else []
        answer.append(quoted("answer", request.output))
        passages = [quoted(f"passage {n}", text) for n, text in enumerate(request.contexts, start=1)]

        async def grade(grading: Grading) -> Grade:
            claims = (await grading.ask(shipped("claims"), {"material": answer}, Claims)).claims
            if not claims:
                return Grade(None, "the answer makes no claim")
            blocks = passages + [quoted(f"claim {n}", each.claim) for n, each in enumerate(claims, start=1)]
            asked = {"material": blocks}
            reply = await grading.ask(
                shipped("verify"), asked, ClaimVerdicts, lambda r: _consistent(r, len(claims), len(passages))
            )
            return _graded(claims, reply.verdicts, request)

        return await self.panel.outcome(grade)


def _consistent(reply: ClaimVerdicts, claims: int, passages: int) -> str | None:
    problem = in_order([each.claim for each in reply.verdicts], claims, "claim")
    if problem is not None:
        return problem
    for each in reply.verdicts:
        if any(number > passages for number in each.evidence):
            return f"names passage {max(each.evidence)} for claim {each.claim}, but there are {passages}"
        if each.verdict != "not found" and not each.evidence:
            return f"calls claim {each.claim} {each.verdict} without naming a passage"
    return None


def _graded(claims: Sequence[Claim], verdicts: Sequence[ClaimVerdict], request: DetectionRequest) -> Grade:
    pairs = list(zip(claims, verdicts, strict=True))
    wrong = [(claim, verdict) for claim, verdict in pairs if verdict.verdict != "supported"]
    told = "; ".join(
        f"{claim.claim!r} {verdict.verdict}" + (f" ({verdict.reason})" if verdict.reason else "")
        for claim, verdict in wrong[:3]
    )
    more = f"; {len(wrong) - 3} more" if len(wrong) > 3 else ""
    spans = [span for claim, verdict in wrong if (span := _span(claim, verdict, request)) is not None]
    parts = {"unsupported": len(wrong) / len(pairs), "claims": float(len(pairs))}
    reason = told + more or f"all {len(pairs)} claims are supported"
    return Grade(float(bool(wrong)), reason, tuple(sorted(spans, key=lambda span: span.start)), parts)


def _span(claim: Claim, verdict: ClaimVerdict, request: DetectionRequest) -> Span | None:
    """Where the claim stands in the answer; None when its quote is not exact."""
    start = request.output.find(claim.quote) if claim.quote else -1
    if start < 0:
        return None
    numbers = [number - 1 for number in verdict.evidence]
    evidence = request.contexts[numbers[0]] if numbers else ""
    source = request.sources[numbers[0]] if numbers and request.sources else ""
    return Span(start, start + len(claim.quote), verdict.verdict, evidence, source)
