"""Programs: questions as trees of nodes that are executed on the facts of one context.

    Program.execute(World) -> Execution (answers, the facts they rest on)

A world is the facts of a context's documents and nothing else (closed world). Programs are frozen
records, written and read as JSON by `codec.py`; nothing is evaluated. Which node classes exist is
listed in `catalogue.py`. Paper: QwenLong-L1.5, section 3; what the paper asks models to verify is
decided here by execution.

Read `world.py`, `node.py`, `codec.py`.
"""
