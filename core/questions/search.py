"""Search over the questions, in all languages at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.fuzzy import Index, Weighted

if TYPE_CHECKING:
    from core.questions.question import Question, QuestionBook

_QUESTION, _WORDS, _TITLE, _ANSWER = 4.0, 3.0, 2.0, 1.0


class QuestionSearch:
    """Finds questions by what they ask, by further words, by the title of their group, and by their answers."""

    def __init__(self, book: QuestionBook) -> None:
        self._book = book
        self._index = Index(
            {
                question.id: [
                    Weighted(text, weight)
                    for written, weight in (
                        (question.question, _QUESTION),
                        (question.words, _WORDS),
                        (group.title, _TITLE),
                        (question.answer, _ANSWER),
                    )
                    for text in written.everywhere()
                ]
                for group in book.groups
                for question in group.questions
            }
        )

    def find(self, query: str, limit: int | None = None) -> list[Question]:
        """The best first; all of them, in the order of the book, for an empty query."""
        found = (self._book.get(hit.key) for hit in self._index.search(query, limit))
        return [question for question in found if question is not None]
