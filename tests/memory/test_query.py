import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longloom.memory.query import split_question

ANSWER_FORM = 'Format your response as follows: "Therefore, the answer is (insert answer here)".'


def letters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(
    ("core", "instructions"),
    [
        # QwenLong-L1, DocMath, LongBench v2
        ("Who wrote the second letter?", ANSWER_FORM),
        (
            "What is the correct answer to this question: Why did he go?\nChoices:\n"
            "(A) To answer in one word.\n(B) Respond in JSON.\n(C) Money\n(D) Rain",
            'Format your response as follows: "The correct answer is (insert answer here)".',
        ),
        # CorpusQA
        (
            "# Question:\nWhich firms grew in 2020?",
            "# Output requirements\n- A list of strings. What is missing is left out.\n"
            "- Dates as YYYY-MM\n\nEnd with `The answer is: xxx`",
        ),
        # MRCR: the first sentence is instruction and question in one, and stays whole
        (
            "Prepend aYooSG8CQg to the 2nd (1 indexed) poem about tapirs.",
            "Do not include any other text in your response.",
        ),
        ("What does the second poem say?", "Prepend aYooSG8CQg to your answer."),
        # MMLU-Pro, AIME, GPQA
        (
            "How many cats are there?",
            'Think step by step and then output the answer in the format of "The answer is (X)" '
            "at the end.",
        ),
        ("How many cats are there?", "Let's think step by step."),
        # people
        ("Which is it?\nA. x\nB. y", "Answer with the option's letter only."),
        ("Who founded ACME and when?", "Respond in JSON with keys `name` and `year`."),
        ("Who founded ACME, and when?", 'Return a JSON object like {"name": "...", "year": 0}.'),
        ("Who is it?", "Output format:\n\n{\n  'a': {\n  },\n  'b': 1\n}"),
        ("Who is it?", "Answer format: name, year"),
        ("Who is it?", "**Output format**\n- name\n- year"),
        (
            "Who is it?",
            'Use the following JSON schema:\n```json\n{"type": "object"}\n```',
        ),
        ("Who is it?", '```json\n{"properties": {"name": {"type": "string"}}}\n```'),
        ("How did the war end?", "Keep the answer under 20 words."),
        ("Find the total.", "Provide your answer as a number, rounded to two decimals."),
        ("Summarize chapter 3.", "Use bullet points. Write in French. Be concise."),
        ("Is it true?", 'If the contract does not say, answer "not stated".'),
        ("Is it true?", "(one word only)"),
        ("What is the name?", "Respond with <answer>name</answer>. Nothing else."),
        ("What differs?", "Format: a table with three columns."),
        ("Where did she live?\nWhen?", "Please give a short answer. No explanation, please."),
        # German, Chinese
        ("Wer ist der K\u00f6nig?", "Antworte nur mit einem Wort."),
        (
            "Wie hoch war der Umsatz?",
            "Bitte antworten Sie in JSON. Keine Erkl\u00e4rung.",
        ),
        (
            "\u8fd9\u5bb6\u516c\u53f8\u7684\u6536\u5165\u662f\u591a\u5c11\uff1f",
            "\u8bf7\u7528JSON\u683c\u5f0f\u8f93\u51fa\u3002",
        ),
        (
            "\u4f5c\u8005\u662f\u8c01\uff1f",
            "\u7b54\u6848\u4e0d\u8d85\u8fc720\u5b57\u3002",
        ),
    ],
)
def test_instructions_behind_the_question_are_cut_off(core: str, instructions: str) -> None:
    for gap in ("\n", "\n\n"):
        query = split_question(core + gap + instructions)
        assert (query.core, query.instructions) == (core, instructions)
        assert query.is_decided


@pytest.mark.parametrize(
    ("instructions", "core"),
    [
        ("Answer in one word:", "who is the king?"),
        ("Answer yes or no:", "did Mr. Smith resign?"),
        ("In one sentence,", "who is the villain?"),
        ("Answer briefly.", "Who is the villain?"),
        ("Output format: one word\n\n", "Who is the king?"),
        ("# Output requirements\n- JSON\n\n", "# Question\nWhich firms grew?"),
        ("Return only the number.\n", "What was the revenue of ACME in 2019?"),
        ('Use this schema:\n```\n{"a": {"b": {}}}\n```\n', "Who is the CEO?"),
        (
            "Please reason step by step, and put your final answer within \\boxed{}.\n\n",
            "How many cats are there?",
        ),
        ("answer in one word.", "who is the king of france"),
    ],
)
def test_instructions_before_the_question_are_cut_off(instructions: str, core: str) -> None:
    query = split_question(f"{instructions} {core}")
    assert (query.core, query.instructions) == (core, instructions.strip())
    assert query.is_decided


def test_form_at_the_end_of_a_sentence_is_cut_off() -> None:
    query = split_question("Describe the plot in 50 words or less.")
    assert (query.core, query.instructions) == ("Describe the plot", "in 50 words or less.")


def test_instructions_on_both_sides_are_cut_off() -> None:
    query = split_question(
        "Answer the question as concisely as you can, using a single phrase if possible. If the "
        'question is a yes/no question, answer "yes", "no", or "unanswerable". Do not provide any '
        "explanation.\n\nQuestion: Is it tall?\n\nAnswer:"
    )
    assert query.core == "Question: Is it tall?"
    assert query.instructions.startswith("Answer the question as concisely")
    assert query.instructions.endswith("Answer:")
    assert query.is_decided


@pytest.mark.parametrize(
    "question",
    [
        "",
        "Who wrote it?",
        "What JSON keys does RFC 7159 require?",
        "What is the file format of the letters?",
        'Where did he say "Answer in writing." to her?',
        "Does the contract say that answers must be given in writing?",
        "What does this do?\n```python\nprint(1)\n```",
        "Which is it?\n(A) Answer with one word.\n(B) Keep your answer short.",
        "Based on the contract, answer the following question. Which clause applies?",
        "Give the names of all CEOs and the years in which they began.",
    ],
)
def test_question_without_instructions_is_all_core(question: str) -> None:
    query = split_question(question)
    assert (query.core, query.instructions, query.is_decided) == (question, "", True)


@pytest.mark.parametrize(
    "question",
    [
        "Answer in JSON with the total revenue of ACME in 2020.",
        "The report covers ACME. Answer in JSON with the total revenue of ACME in 2020.",
        "List all CEOs in JSON format.",
        "You are a helpful assistant. Answer concisely.",
        "Answer only the following, briefly",
        "# Output requirements\nWho is the king, and who is the queen?",
        "Who is the king, in at most 3 words?",
    ],
)
def test_undecided_questions_stay_whole(question: str) -> None:
    query = split_question(question)
    assert (query.core, query.instructions, query.is_decided) == (question, "", False)


_parts = st.sampled_from(
    [
        "Who is the king? ",
        "Answer in JSON. ",
        "Answer in one word: who?",
        "In one sentence, why?",
        "Describe it in 50 words or less.",
        "# Output requirements\n",
        "# Question\n",
        "Output format:\n",
        "Respond as follows:",
        "(A) Answer briefly\n",
        "```json\n",
        "```",
        '{"type": [',
        "{\n",
        "}\n",
        "]}",
        '"',
        "\u201c",
        "\n\n",
        "\n",
        " - ",
        "Please ",
        "Note: ",
        "Mr. ",
        "\u8bf7\u7528JSON\u56de\u7b54\u3002",
        "\u8c01\uff1f",
        "word ",
        "\x0c",
        "\u2028",
    ]
)


@settings(max_examples=300)
@given(st.lists(st.one_of(_parts, st.text(max_size=8)), max_size=14).map("".join))
def test_both_parts_are_all_of_the_question_in_order(question: str) -> None:
    query = split_question(question)
    whole, core, form = letters(question), letters(query.core), letters(query.instructions)
    assert sorted(core + form) == sorted(whole)
    for part in (core, form):
        rest = iter(whole)
        assert all(letter in rest for letter in part)
    assert core or not whole
    if not query.is_decided:
        assert query.core == question


@given(st.lists(_parts, max_size=14).map("".join))
def test_whoever_asks_is_still_asking(question: str) -> None:
    query = split_question(f"{question}\nWho is the king?\n")
    assert "Who is the king?" in query.core or not query.is_decided or "# Output" in question


@pytest.mark.parametrize(
    "question",
    [
        "{" * 1_000_000,
        "{\n" * 500_000,
        '{"a": ' * 150_000,
        "Answer in " * 100_000,
        "Answer " + "in " * 300_000,
        "give " * 200_000,
        "If it is " * 100_000 + "say",
        '"' * 1_000_000,
        "." * 1_000_000,
        ". " * 500_000,
        "Note: " * 170_000,
        "```\n" * 250_000,
        "# Output requirements\n" * 45_000,
        " \t\n" * 330_000,
        "(" * 1_000_000,
        "a" * 1_000_000,
        "provide answer " * 66_000,
        "do not any other " * 60_000,
        "\u8bf7\u7528" * 500_000,
    ],
)
def test_hostile_questions_take_bounded_time(question: str) -> None:
    begin = time.process_time()
    query = split_question(question)
    assert time.process_time() - begin < 2.0
    assert len(letters(query.core + query.instructions)) == len(letters(question))


def test_both_ends_of_a_long_question_are_looked_at() -> None:
    story = "The king went to the sea. He saw a ship there.\n" * 30_000
    query = split_question(f"Answer briefly.\n{story}Where did he go? Respond in JSON.")
    assert query.instructions == "Answer briefly.\nRespond in JSON."
    assert query.core == f"{story}Where did he go?"
