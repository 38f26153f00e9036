"""What `evaluation_overhead.py` runs: a server that answers at once, and those who ask it.

Each side is a process of its own: `stub_endpoint` answers, `our_runner` asks as `longloom evaluate`
does, `inspect_runner` as `inspect eval` does, with its own `generate()` or by our adapter.
"""
