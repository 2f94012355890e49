"""What is answered when no model is there: the truth about the prompt."""

from __future__ import annotations

from consumers.examples.general.answer_without_model import about_prompt


def test_a_prompt_without_a_model_is_measured_and_the_result_says_so() -> None:
    found = about_prompt("Why do queues grow? Explain queues.", "llama2")

    assert found["answered_by"] == "text analysis"
    assert "No model has seen this prompt" in found["note"]
    assert found["model_asked_for"] == "llama2"
    assert (found["words"], found["sentences"]) == (6, 2)
    assert found["is_question"] is True
    assert "queues" in found["subject"]


def test_an_empty_prompt_has_figures_too() -> None:
    found = about_prompt("", None)

    assert (found["words"], found["is_question"], found["subject"]) == (0, False, [])
