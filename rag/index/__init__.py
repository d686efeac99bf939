"""All that speaks Chroma and llama-index: a folder's own index, and a group's server.

Both hold what a manifest holds, and neither is the truth: an index is a cache that may be deleted,
a server is a copy that its keeper's manifest is written to.
"""

from __future__ import annotations

from rag.index.chroma import IndexFailed
from rag.index.embedded import Index

__all__ = ["Index", "IndexFailed"]
