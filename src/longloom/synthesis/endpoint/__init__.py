"""Synthesis that asks a model: prose triples, schemas, SQL, self-evolution, checks, rewriting.

    documents -> fencing -> prompts.yaml -> ChatModel -> parsing -> rules -> Yield(kept, dropped)

Nothing here is needed without an endpoint. A model proposes; rules, quotes, execution and
majorities decide. Every runner is an async function from inputs to a `Yield` that accounts for each
of them; it is resumed by running it again, because the client's cache holds every reply. Documents
stand between fences that they cannot forge, and those that speak to a model are left out, so text
inside a document can at most cost a question. Paper: QwenLong-L1.5, section 3; SPELL and CorpusQA
for the roles and tables.

Read `yields.py`, `selfplay.py`, `nl2sql.py`.
"""
