"""The questions that people are asked about language models: texts in every language, the page that answers each, the
verdict of a run on this machine, and guesses.

    resources/questions/GROUP.toml            which page answers, with which parameters and claims
    resources/questions/LANGUAGE/GROUP.toml   question and answer

To add a question, write it into these files, in every language. tests/questions says what is missing.
"""

from typing import TYPE_CHECKING

from core.lazy_names import lazy_names

if TYPE_CHECKING:
    from core.questions.guesses import Outcome
    from core.questions.question import Group, Question, QuestionBook
    from core.questions.reading import shipped_questions
    from core.questions.search import QuestionSearch

__getattr__ = lazy_names(
    __name__,
    {
        "guesses": ("Outcome",),
        "question": ("Group", "Question", "QuestionBook"),
        "reading": ("shipped_questions",),
        "search": ("QuestionSearch",),
    },
)

# What reads the history (runs_here, check_all) is imported where it is used: a list of questions is there without it.

__all__ = ["Group", "Outcome", "Question", "QuestionBook", "QuestionSearch", "shipped_questions"]
