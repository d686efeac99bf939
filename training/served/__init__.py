"""One OpenAI-compatible server asked many questions: what rooms that write and grade use of it."""

from training.served.purse import LimitReached, Price
from training.served.server import DEFAULT_REFERENCE, Ask, Estimate, Said, Server

__all__ = ["DEFAULT_REFERENCE", "Ask", "Estimate", "LimitReached", "Price", "Said", "Server"]
