"""The kinds of facts in the small world, and the phrasings that its texts use for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Relation:
    """One kind of fact about a person.

    In a phrasing, `{s}` is the person ('Dralan Bolow', or a pronoun), `{p}` the possessive and `{v}` the value. `label`
    is its name in a table row. The table task expects the first phrasing. In `questions`, `{n}` is the person's name.
    """

    label: str
    phrasings: tuple[str, ...]
    questions: tuple[str, ...]

    @property
    def endings(self) -> tuple[int, ...]:
        """Indices of the phrasings that end with the value, so that the text before it is a prompt for it."""
        return tuple(index for index, text in enumerate(self.phrasings) if text.endswith(" {v}."))


PROFESSION = Relation(
    "Profession",
    (
        "{s} works as a {v}.",
        "{s} is a {v}.",
        "{s} earns a living as a {v}.",
        "{p} profession is that of a {v}.",
        "{s} trained to be a {v}.",
    ),
    ("What does {n} do for a living?", "What is the profession of {n}?"),
)
EDUCATION = Relation(
    "Education",
    (
        "{s} studied at {v}.",
        "{s} went to school at {v}.",
        "{s} is a graduate of {v}.",
        "{p} school was {v}.",
        "{v} is where {s} studied.",
    ),
    ("Where did {n} study?", "Which school did {n} go to?"),
)
BIRTHPLACE = Relation(
    "Birthplace",
    (
        "{s} was born in {v}.",
        "{p} birthplace is {v}.",
        "{s} comes from {v}.",
        "{s} spent a childhood in {v}.",
        "{v} is where {s} was born.",
    ),
    ("Where was {n} born?", "What is the birthplace of {n}?"),
)
HOME = Relation(
    "Home",
    (
        "{s} lives in {v}.",
        "{p} home is in {v}.",
        "{s} has a house in {v}.",
        "{s} moved to {v}.",
        "{v} is where {s} lives now.",
    ),
    ("Where does {n} live?", "Where is the home of {n}?"),
)
SPOUSE = Relation(
    "Spouse",
    (
        "{s} is married to {v}.",
        "{p} spouse is {v}.",
        "{s} shares a life with {v}.",
        "{s} exchanged rings with {v}.",
        "{v} is the one whom {s} married.",
    ),
    ("Who is married to {n}?", "Who is the spouse of {n}?"),
)
AWARD = Relation(
    "Award",
    (
        "{s} won the {v}.",
        "{s} was awarded the {v}.",
        "{p} award is the {v}.",
        "{s} was honoured with the {v}.",
        "The {v} is what {s} won.",
    ),
    ("Which award did {n} win?", "What was {n} awarded?"),
)
EMPLOYER = Relation(
    "Employer",
    (
        "{s} is employed by {v}.",
        "{p} employer is {v}.",
        "{s} has a job at {v}.",
        "{s} is on the staff of {v}.",
        "{v} is where {s} works.",
    ),
    ("Who employs {n}?", "Where does {n} work?"),
)
HOBBY = Relation(
    "Hobby",
    (
        "{s} enjoys {v}.",
        "{p} hobby is {v}.",
        "After work {s} goes in for {v}.",
        "{s} spends weekends on {v}.",
        "{s} likes {v} best of all.",
    ),
    ("What does {n} enjoy?", "What is the hobby of {n}?"),
)
RELATIONS = (PROFESSION, EDUCATION, BIRTHPLACE, HOME, SPOUSE, AWARD, EMPLOYER, HOBBY)

PROFESSIONS = (
    "baker",
    "carpenter",
    "chemist",
    "composer",
    "dentist",
    "doctor",
    "farmer",
    "gardener",
    "glazier",
    "historian",
    "judge",
    "librarian",
    "mason",
    "nurse",
    "painter",
    "pilot",
    "poet",
    "potter",
    "sailor",
    "surgeon",
    "tailor",
    "teacher",
    "translator",
    "weaver",
)
HOBBIES = (
    "archery",
    "baking",
    "boxing",
    "chess",
    "climbing",
    "cooking",
    "cycling",
    "dancing",
    "fencing",
    "fishing",
    "juggling",
    "knitting",
    "origami",
    "puzzles",
    "rowing",
    "running",
    "sailing",
    "singing",
    "skating",
    "swimming",
)
SCHOOL_KINDS = ("College", "Academy", "Hall", "School")
EMPLOYER_KINDS = ("Bank", "Mills", "Press", "Works")
AWARD_KINDS = ("Prize", "Medal", "Cup")
