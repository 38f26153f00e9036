"""An invented corpus in prose, and a model that knows the truth about it.

Mills were built by people, and people were born in towns; notes on mills and on people are
different documents, so that a question about both needs two. Proposals and tables stand beside
them (`small_corpus.py`).
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longloom.synthesis.storage import read_examples
from scripted_endpoint import prompt_of
from synthesis.small_corpus import write_small_corpus

MILLS = ("Arden", "Birk", "Corvane", "Dellow", "Esker", "Farrow", "Gilden", "Harrow")
BUILDERS = ("Ada Stone", "Bo Wren", "Cy Marsh", "Di Holt", "Ed Quill", "Flo Reed", "Gus Lark")
TOWNS = ("Orrin", "Pelham", "Quarn", "Rusk", "Selby", "Tarn", "Ulver")
JUDGED_LOW = "The Harrow Mill"
"""This mill's note is scored low."""


def builder_of(mill: str) -> str:
    return BUILDERS[MILLS.index(mill) % len(BUILDERS)]


def town_of(builder: str) -> str:
    return TOWNS[BUILDERS.index(builder)]


def year_of(mill: str) -> int:
    return 1801 + 7 * MILLS.index(mill)


def places_of(mill: str) -> str:
    """Return names that only the notes on this mill and on its builder hold."""
    return ", ".join(f"{mill}{ending}" for ending in ("wash", "ford", "holm", "wick", "mere"))


_COUNTRY = (
    "All this lies in a country of small rivers, where rye and barley were ground in winter and "
    "where every village has a tale of a flood that carried the bridge away.\n"
)
"""Closes every note, so that it makes none more alike than others."""


def mill_note(mill: str) -> str:
    return (
        f"The {mill} Mill\n\nThe {mill} Mill was built by {builder_of(mill)} in {year_of(mill)}. "
        f"People came to it from {places_of(mill)}.\n\n{_COUNTRY}"
    )


def person_note(person: str) -> str:
    mills = [mill for mill in MILLS if builder_of(mill) == person]
    works = " and ".join(f"the {mill} Mill near {places_of(mill)}" for mill in mills)
    return (
        f"{person}\n\n{person} was born in {town_of(person)} as the child of a carpenter. "
        f"What {person} is remembered for is {works}.\n\n{_COUNTRY}"
    )


def write_mill_corpus(root: Path) -> Path:
    """Write the notes, and the small corpus beside them, below `root` and return it."""
    write_small_corpus(root)
    for place in range(13, 25):  # fewer proposals: this corpus is about prose
        (root / f"proposals/pep-{place:04d}.rst").unlink()
    notes = {f"mills/{mill.lower()}.txt": mill_note(mill) for mill in MILLS}
    notes |= {
        f"people/{person.lower().replace(' ', '-')}.txt": person_note(person) for person in BUILDERS
    }
    for name, text in notes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return root


_BUILT = re.compile(r"The (\w+) Mill was built by (\w+ \w+) in (\d{4})")
_BORN = re.compile(r"(\w+ \w+) was born in (\w+) as")
_PIECE = re.compile(r"BEGIN (\d+): [^\n]*>>>\n(.*?)\n<<<", re.DOTALL)
_BIRTH_QUESTION = re.compile(r"the builder of the (\w+) Mill")


@dataclass
class KnowingModel:
    """Answers rightly in every role: from the corpus, or from the programs of a run's folder.

    Sometimes it lies on purpose where rules must see it: a quote that is in no text, a value that
    the quote does not hold, SQL that writes.
    """

    folder: Path
    answers: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def __call__(self, body: dict[str, Any]) -> str:
        prompt = prompt_of(body)
        if "Judge this document as a source" in prompt:
            score = 1 if JUDGED_LOW in prompt else 4
            return json.dumps({"quality": score, "factual_accuracy": 4, "coherence": 4})
        if "List statements that the passage makes" in prompt:
            return self._triples(prompt)
        if "Somebody claims that the passage states this" in prompt:
            return self._confirmation(prompt)
        if "Fill in these fields from the document above" in prompt:
            return self._fields(prompt)
        if "You write examination questions" in prompt:
            return self._proposal(prompt)
        if "Here is a pattern of questions" in prompt:
            return self._queries(prompt)
        if "DuckDB" in prompt:
            return self._sql(prompt)
        if "Rewrite this question" in prompt:
            return self._wording(prompt)
        if "Answer the question from what you know" in prompt:
            return "I have never heard of it. Therefore, the answer is (nothing)."
        if "from the material above alone" in prompt:
            return self._solution(prompt)
        return "These are not the same. [[NO]]"

    def _triples(self, prompt: str) -> str:
        found: list[dict[str, str]] = []
        for mill, builder, year in _BUILT.findall(prompt):
            quote = f"The {mill} Mill was built by {builder} in {year}"
            about = {"subject": f"The {mill} Mill", "subject_kind": "place", "quote": quote}
            found += [
                {**about, "relation": "builder", "value": builder, "value_kind": "person"},
                {**about, "relation": "year built", "value": year, "value_kind": "date"},
                {**about, "relation": "owned_by", "value": builder, "value_kind": "person"},
                {
                    **about,
                    "relation": "patron",
                    "value": "Lord Umber",
                    "value_kind": "person",
                    "quote": f"Lord Umber paid for the {mill} Mill",
                },
                {**about, "relation": "built_near", "value": "Atlantis", "value_kind": "place"},
            ]
        for person, town in _BORN.findall(prompt):
            fact = {"subject": person, "relation": "born_in", "value": town, "value_kind": "place"}
            found += [
                {**fact, "quote": f"{person} was born in {town}"},
                {**fact, "quote": f"{person} saw the light of day in {town}"},
            ]
        return json.dumps({"triples": found})

    def _confirmation(self, prompt: str) -> str:
        return "It does not. [[NO]]" if "relation: owned by" in prompt else "It does. [[YES]]"

    def _fields(self, prompt: str) -> str:
        built, born = _BUILT.search(prompt), _BORN.search(prompt)
        values = {"year": built[3], "builder": built[2]} if built else {}
        values |= {"year": None, "builder": born[1]} if born else {}
        return json.dumps({"values": values})

    def _proposal(self, prompt: str) -> str:
        pieces = [(int(number), text) for number, text in _PIECE.findall(prompt)]
        births = {
            match[1]: (number, match[2]) for number, text in pieces if (match := _BORN.search(text))
        }
        for number, text in pieces:
            match = _BUILT.search(text)
            asked = match is not None and f"of the {match[1]} Mill" in prompt.split("Rules:")[0]
            if match is None or match[2] not in births or asked:
                continue
            person_number, town = births[match[2]]
            return self._written(match, number, person_number, town, "distractors" in prompt)
        return "There is nothing to ask about here."

    def _written(
        self, match: re.Match[str], number: int, person_number: int, town: str, is_choice: bool
    ) -> str:
        proposal: dict[str, Any] = {
            "question": f"Where was the builder of the {match[1]} Mill born?",
            "answer": town,
            "quotes": [
                {"document": number, "quote": f"built by {match[2]} in {match[3]}"},
                {"document": person_number, "quote": f"was born in {town}"},
            ],
        }
        if is_choice:
            others = [name for name in TOWNS if name != town][:3]
            proposal["distractors"] = [{"text": name, "mistake": "mixed up"} for name in others]
        return f"I looked at both notes.\n```json\n{json.dumps(proposal)}\n```"

    def _queries(self, prompt: str) -> str:
        columns = re.findall(r"^- (\w+) \((\w+)\)", prompt, re.MULTILINE)
        words = "highest" if "highest" in prompt else "largest"
        queries = [
            {"question": f"What is the {words} value, called {name}, of all?", "level": "easy"}
            for name, column_type in columns
            if column_type in ("DOUBLE", "DATE") and "_" not in name
        ]
        queries.append({"question": "How many rows can be deleted from all this?", "level": "hard"})
        return json.dumps({"queries": queries[:5]})

    def _sql(self, prompt: str) -> str:
        asked = re.search(r"called (\w+), of all", prompt)
        if asked is None:
            return json.dumps({"sql": "DELETE FROM records"})
        where = " WHERE name IS NOT NULL" if "step" in prompt else ""
        return json.dumps({"sql": f"SELECT max({asked[1]}) FROM records{where}"})

    def _wording(self, prompt: str) -> str:
        stem = re.search(r"Question: (.*)\n", prompt)
        assert stem is not None
        return json.dumps({"question": f"Tell me, please: {stem[1]}"})

    def _solution(self, prompt: str) -> str:
        question = prompt.rpartition("Question: ")[2].rpartition("\n\n")[0]
        answer = self._birth_answer(question) or self._stored_answer(question)
        if "reply word for word" in prompt or "wanted text itself" in prompt:
            return answer
        word = "correct answer" if "letter of one option" in prompt else "answer"
        return f"I read it all. Therefore, the {word} is ({answer})."

    def _birth_answer(self, question: str) -> str:
        match = _BIRTH_QUESTION.search(question)
        if match is None or "\n" not in question:
            return town_of(builder_of(match[1])) if match else ""
        town = town_of(builder_of(match[1]))
        return next((line[0] for line in question.split("\n") if line.endswith(f". {town}")), "?")

    def _stored_answer(self, question: str) -> str:
        question = question.removeprefix("Tell me, please: ")
        if question not in self.answers:
            for shard in self.folder.glob("steps/*/*/examples.parquet"):
                examples, _ = read_examples(shard.parent)
                self.answers |= {example.question: example.answer for example in examples}
        if question not in self.answers:
            self.unknown.append(question)
        return self.answers.get(question, "I do not know")
