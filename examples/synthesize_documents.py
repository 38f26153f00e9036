"""Make questions from documents and look at one of them.

python examples/synthesize_documents.py builtin questions
"""

import sys
from pathlib import Path

import longloom
from longloom.synthesis.storage import read_examples


def main(documents: str, output: str, model: str = "tiny-base", num_examples: str = "50") -> None:
    made = longloom.synthesize_miniature(
        documents,
        output=output,
        model=model,
        num_train=int(num_examples),
        num_held_out=int(num_examples),
        seed=1,
    )
    print(f"{made.num_train} questions for training, {made.num_held_out} held out")
    examples, contexts = read_examples(Path(output))
    example = next(found for found in examples if found.task_type == "multi_hop")
    text = contexts[example.context_id].text
    print(text)
    print(f"\nquestion: {example.question}\nanswer:   {example.answer}\nbecause:")
    for evidence in example.evidence:
        print(f"  {text[evidence.context_start : evidence.context_end]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
