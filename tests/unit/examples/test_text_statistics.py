"""Text analysis, on sentences small enough to count by hand and on the shipped library."""

from __future__ import annotations

from pathlib import Path

import pytest

import consumers.examples
from consumers.examples.documents import keywords_and_summary, text_splitting, text_statistics

LIBRARY = Path(consumers.examples.__file__).parent / "documents" / "library"


def library() -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(LIBRARY.glob("*.md"))}


def test_the_library_holds_documents_of_several_kilobytes() -> None:
    texts = library()

    assert len(texts) >= 6
    assert all(len(content) > 3000 for content in texts.values())


def test_headings_and_marks_are_not_text() -> None:
    source = "# A title\n\nSome *plain* [words](http://x).\n\n> Quoted."

    assert text_splitting.title(source) == "A title"
    assert text_splitting.paragraphs(source) == ["Some plain words.", "Quoted."]


def test_sentences_end_at_full_stops_but_not_at_abbreviations() -> None:
    found = text_splitting.sentences(
        'Dr. Gray left. "Why?" he asked. At 3.15 it rained! A. Lee came'
    )

    assert found == ["Dr. Gray left.", '"Why?" he asked.', "At 3.15 it rained!", "A. Lee came"]


def test_words_keep_apostrophes_and_hyphens_and_leave_numbers_out() -> None:
    assert text_splitting.words("It's a well-known 42nd café.") == [
        "It's",
        "a",
        "well-known",
        "nd",
        "café",
    ]


@pytest.mark.parametrize(
    ("word", "count"),
    [("queue", 1), ("table", 2), ("waited", 2), ("asked", 1), ("urgency", 3), ("the", 1)],
)
def test_syllables_are_counted_by_their_vowels(word: str, count: int) -> None:
    assert text_splitting.syllables(word) == count


def test_a_word_count_agrees_with_a_count_by_hand() -> None:
    found = text_statistics.word_count("One two. Two three three.\n\nThree!")

    assert (found["words"], found["sentences"], found["paragraphs"]) == (6, 3, 2)
    assert found["different_words"] == 3
    assert next(iter(found["most_common"].items())) == ("three", 3)


def test_short_words_in_short_sentences_are_easier_to_read() -> None:
    easy = text_statistics.readability("The cat sat. The dog ran. It was fun.")
    hard = text_statistics.readability(
        "Organisational considerations necessitate comprehensive administrative reconsideration "
        "of previously established institutional responsibilities."
    )

    assert easy["flesch_reading_ease"] > 90
    assert hard["flesch_reading_ease"] < 0
    assert (easy["verdict"], hard["verdict"]) == ("easy", "very hard")


def test_a_text_without_a_sentence_has_no_readability() -> None:
    with pytest.raises(ValueError, match="no sentence"):
        text_statistics.readability("# Only a heading")


def test_keywords_are_frequent_here_and_rare_elsewhere() -> None:
    texts = library()
    others = [content for name, content in texts.items() if name != "on-clocks.md"]

    found = keywords_and_summary.keywords(texts["on-clocks.md"], others, 5)

    assert "clocks" in found
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_a_text_of_stop_words_has_no_keywords() -> None:
    assert keywords_and_summary.keywords("it was the", [], 5) == {}


def test_a_summary_quotes_the_text_in_its_own_order() -> None:
    content = library()["on-queues.md"]
    every = text_splitting.sentences(content)

    found = keywords_and_summary.summary(content, 4)

    assert len(found) == 4
    positions = [every.index(sentence) for sentence in found]
    assert positions == sorted(positions)
