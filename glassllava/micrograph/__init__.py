"""Reading a micrograph: its record, its pixels, the vendors that wrote it, its databar.

`reading.read_micrograph` opens a file; nothing heavy is imported before it is called for.
"""
