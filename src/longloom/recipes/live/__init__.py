"""A run seen from outside while it goes on: read from its files, drawn as lines of text.

    run folder -> LiveView -> lines

Nothing here writes, locks or asks the running process. Half-written lines, files that are just
being replaced and folders that appear later are left out and seen at the next look.

Read `reading.py`, `screen.py`.
"""
