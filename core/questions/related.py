"""Which other questions a reader of one is likely to ask next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.questions.question import Question, QuestionBook

MOST = 8


def related(question: Question, book: QuestionBook, most: int = MOST) -> tuple[Question, ...]:
    """The questions that share most with this one: its claims, its picture, its run, its group; nearest in the book
    among equals."""
    order = {each.id: place for place, each in enumerate(book)}
    here = order.get(question.id, 0)

    def distance(other: Question) -> tuple[int, int]:
        same_page = other.page == question.page
        shared = 4 * len(set(other.claims) & set(question.claims)) if same_page else 0
        shared += 2 * (same_page and bool(other.card) and other.card == question.card)
        shared += (same_page and other.set == question.set) + (other.group == question.group)
        return -shared, abs(order[other.id] - here)

    others = [each for each in book if each is not question and each.id != question.id]
    near = [each for each in others if distance(each)[0] < 0]
    return tuple(sorted(near, key=distance)[:most])
