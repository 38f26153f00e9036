"""The command line: one file per verb, no logic.

Flow: `main.main` parses the arguments, the verb's function imports what it needs (inside the
function, so that `longloom --help` stays fast), calls the part and prints. Errors a user can act
on are one line and exit code 2; an interrupted command exits with 130; a traceback is a bug.
Only this room prints, draws progress bars and sets up logging.

A new verb is one new file and one line in the list of `main.py`.

Read `main.py`, `console.py`, `doctor.py`.
"""
