"""`glassview curate`: papers to training conversations."""

from __future__ import annotations

from typing import Any


def add_commands(commands: Any) -> None:
    commands.add_parser("curate", help="papers to training conversations")
