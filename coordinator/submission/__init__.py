"""HTTP in, broker out: what becomes of a request to do a task.

    SubmitTask ─▶ limits ─▶ lane ─▶ SourceOpener.ensure ─▶ one publish ─▶ its confirm ─▶ Accepted
                                      (first use only)

Clearing a priority is the way back: what waits is drained, and each task's end is recorded.
"""
