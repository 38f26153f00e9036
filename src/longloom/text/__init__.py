"""Text: tokenizers, the prompt file, the chat template and sections.

Flow: `prompts` fills a template with context and question, `chat` renders messages as the model
was trained to see them, `tokenizer` turns text to ids. `token_starts` says where tokens begin, by
a tokenizer or by estimate, and `sections` cuts documents there for the memory agent without losing
a character. The prompt file `prompts.yaml` is versioned and is the only place where wording that a
model sees is kept.

Read `prompts.py`, `tokenizer.py`, `sections.py`.
"""
