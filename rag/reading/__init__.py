"""Documents of every kind that is read, as passages with their places: the door is here.

`find_documents` looks through folders, `read_bibliographies` learns who wrote what when,
`read_document` reads one file, `show_page` draws one page of it. Importing this package costs
nothing: a reader is loaded by the first file of its kind. Knows nothing of vectors, the manifest or
the index.
"""

from __future__ import annotations

from rag.reading.bibliography import Bibliography, Record, read_bibliographies
from rag.reading.documents import read_document
from rag.reading.finding import Found, find_documents
from rag.reading.limits import PaperSettings
from rag.reading.showing import ShownPage, show_page

__all__ = [
    "Bibliography",
    "Found",
    "PaperSettings",
    "Record",
    "ShownPage",
    "find_documents",
    "read_bibliographies",
    "read_document",
    "show_page",
]
