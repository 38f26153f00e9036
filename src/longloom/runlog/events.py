"""What a run tells while it goes on, in files that another process may read.

events.jsonl has every line that a run has told, now.json what its process is doing at this moment.
"""

from longloom.runlog.records import RecordSchema

EVENTS_FILE = "events.jsonl"
"""In a run folder."""
EVENTS_SCHEMA = RecordSchema(name="longloom.events", version=1)
"""Lines are {time, kind, text}; kinds are begun, message, cell and ended."""
ACTIVITY_FILE = "now.json"
"""In a run folder; written once a second at most, removed at the end."""
