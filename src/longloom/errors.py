"""Every error Longloom raises on purpose.

    LongloomError
      +-- ConfigError (ValueError)            a setting is unknown or contradicts another
      +-- DataError (ValueError)              a document, example or record file cannot be used
      +-- ModelError (RuntimeError)           a model folder or a model's reply cannot be used
      |     +-- ContextLengthError            prompt and answer do not fit the window
      +-- RewardError (RuntimeError)          a reward could not be computed
      +-- CheckpointError (RuntimeError)      a checkpoint is missing, damaged or of another run
      +-- EngineError (RuntimeError)          the place where training runs failed
      +-- MissingDependencyError (ImportError)  an optional package is not installed

A message says what failed, the value, what was expected, and what to do. The command line prints
it as one line and exits with 2; a traceback means a bug.
"""


class LongloomError(Exception):
    """Base of all errors that a user can act on."""


class ConfigError(LongloomError, ValueError):
    """A setting is unknown, out of range or contradicts another setting."""


class DataError(LongloomError, ValueError):
    """A document, example or record file cannot be read or used."""


class ModelError(LongloomError, RuntimeError):
    """A model folder cannot be loaded, or a model's reply cannot be used."""


class ContextLengthError(ModelError):
    """Prompt and answer together do not fit the model's window; a shorter prompt may."""


class RewardError(LongloomError, RuntimeError):
    """A reward could not be computed; never turned into a zero."""


class CheckpointError(LongloomError, RuntimeError):
    """A checkpoint is missing, damaged or belongs to another run."""


class EngineError(LongloomError, RuntimeError):
    """The engine that runs the training failed."""


class MissingDependencyError(LongloomError, ImportError):
    """An optional package is not installed; the message names the pip command."""
