"""Reports what one attempt asks people, while it keeps its slot."""

from __future__ import annotations

from consumers._handling.answer_wait import AsksPeople
from consumers._values.asked_question import AskedQuestion

from .attempt import Attempt
from .attempt_reporter import AttemptReporter

__all__ = ["AttemptQuestions"]


class AttemptQuestions(AsksPeople):
    """Reports for one attempt."""

    __slots__ = ("_attempt", "_report")

    def __init__(self, report: AttemptReporter, attempt: Attempt) -> None:
        self._report = report
        self._attempt = attempt

    def ask(self, asked: AskedQuestion, repeated: int) -> None:
        self._report.asked(self._attempt, asked, repeated=repeated)

    def resume(self, asked: AskedQuestion) -> None:
        self._report.resumed(self._attempt, asked)
