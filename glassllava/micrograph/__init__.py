"""Reading a micrograph: its record, its pixels, the vendors that wrote it, its databar."""
