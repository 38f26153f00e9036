"""The server: OpenAI-compatible, over a model that then reads more than its window holds.

    request -> fits the window -> the backend answers, unchanged
            -> too long        -> split -> an agent reads it, with progress -> answer, citations

A backend is a model in this process or any OpenAI-compatible address. The agent is handed in by
`longloom.recipes.verbs.serve`: this room knows the agent protocol alone. Nothing of a document is
ever logged, and nothing is cut off silently (the paper's section 2.3, served).

Importing the room loads no web framework; `app.py` and `server.py` need the extra `serve`.

Read `service.py` (what happens to a request), `app.py` (the addresses), `backends.py` (the seam).
"""

from longloom.serving.backends import Backend
from longloom.serving.config import ServingConfig
from longloom.serving.refusals import RefusedError

__all__ = ["Backend", "RefusedError", "ServingConfig"]
