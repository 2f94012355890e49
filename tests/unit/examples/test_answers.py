"""What is answered when no model is there: the truth about the prompt or the data."""

from __future__ import annotations

import hashlib

from consumers.examples.general.answers import about_data, about_prompt


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


def test_data_without_a_prompt_is_described_by_its_shape() -> None:
    found = about_data({"b": [1, {"c": None}], "a": "x"})

    assert found["keys"] == {"a": "str", "b": "list"}
    assert (found["values"], found["depth"]) == (3, 3)
    assert found["sha256"] == hashlib.sha256(b'{"a":"x","b":[1,{"c":null}]}').hexdigest()
