"""A run as a graph: what depends on what, what has been done, and what is left to do.

    RunConfig + digests of inputs -> RunGraph (nodes with keys) -> states -> what runs

A node is a set of examples, a stage or an evaluation cell. Its key is a digest of everything that
decides its content and of nothing else, so its results lie under `NAME-key`: another setting gives
another key to exactly those nodes that depend on it, and earlier results are found again.

Read `keys.py`, `nodes.py`, `places.py`.
"""
