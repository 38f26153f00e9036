"""`python -m longloom` is the command `longloom`."""

import sys

from longloom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
