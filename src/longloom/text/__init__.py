"""Text: tokenizers, the prompt file, the chat template and chunking.

Flow: `prompts` fills a template with context and question, `chat` renders messages as the model
was trained to see them, `tokenizer` turns text to ids. `chunking` cuts documents for the memory
agent without losing a character. The prompt file `prompts.yaml` is versioned and is the only
place where wording that a model sees is kept.

Read `prompts.py`, `tokenizer.py`, `chunking.py`.
"""
