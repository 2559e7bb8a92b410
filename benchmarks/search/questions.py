"""The questions, and the places of their answers in the documentation."""

import json
from pathlib import Path
from typing import NamedTuple


class Question(NamedTuple):
    """A question of a user who does not know the documentation's words."""

    question: str
    document: str
    """The path of the document with the answer (see `corpus`)."""
    anchor: str
    """A part of the answer, with each run of white space as one space. It occurs once, in this document only."""

    def answered(self, document: str, chunk: str) -> bool:
        """Whether a chunk of a document contains the answer."""
        return document == self.document and self.anchor in flat(chunk)


def questions() -> list[Question]:
    """All questions, in the order of their answers."""
    lines = Path(__file__).with_name("questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [Question(**json.loads(line)) for line in lines]


def flat(text: str) -> str:
    """A text with each run of white space as one space."""
    return " ".join(text.split())
