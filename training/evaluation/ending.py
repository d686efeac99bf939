"""How a tool of evaluation ends: its exit code, and the sentence for what went wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from glassllava.errors import GlassError


def ending(run: Callable[[], int], *, as_json: bool, cut: str) -> int:
    """What `run` returns; 2 with the error in words (and as JSON), 130 where it was cut short, of
    which `cut` says what is left."""
    try:
        return run()
    except GlassError as error:
        if as_json:
            print(json.dumps(error.to_json()))
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Interrupted: {cut}", file=sys.stderr)
        return 130
