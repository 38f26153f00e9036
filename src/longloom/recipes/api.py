"""The Python interface: the verbs of the command line as functions.

    import longloom

    longloom.synthesize("docs", output="questions")
    trained = longloom.train("questions", output="training")
    cell = longloom.evaluate("questions", model=trained.model)

`import longloom` alone loads none of this; the functions are found on first use.
"""

from longloom.recipes.verbs.run import RunOutcome, SilentListener, run

__all__ = ["RunOutcome", "SilentListener", "run"]
