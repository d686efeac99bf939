"""Claim: our `add` takes papers in as fast as llama-index's own ingestion, in like memory.

`OMP_NUM_THREADS=1 python -m benchmarks.ingestion [-n DOCUMENTS]` writes papers of five pages of
plain text (llama-index's reader of PDFs is a package that is not installed here; ours reads PDFs
besides, more slowly), then takes the same folder in twice, each side in a process of its own: ours
through the library (reading, cutting, embedding, manifest, index), and llama-index's
SimpleDirectoryReader, SentenceSplitter cut to the embedder's 256 tokens, VectorStoreIndex and
Chroma store. The embedder is the same. Told are seconds without imports, by the clock and of work,
passages, and the peak of resident memory.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag import passages

if TYPE_CHECKING:
    from collections.abc import Callable

_PASSAGES = 20  # of the primer to a paper: about 2,000 words


def write(folder: Path, count: int) -> None:
    draw = random.Random(20261128)
    entries = passages.primer().entries
    for number in range(count):
        blocks = []
        for entry in draw.sample(entries, _PASSAGES):
            sentences = re.split(r"(?<=[.?!]) ", entry.passage.text)
            draw.shuffle(sentences)
            blocks.append(" ".join(sentences))
        text = f"# Paper {number}\n\n" + "\n\n".join(blocks) + "\n"
        (folder / f"paper_{number:03d}.md").write_text(text, "utf-8")


def ours(folder: Path, kept: Path) -> tuple[float, float, int]:
    import rag
    from rag.embedding import shared_embedder
    from rag.reading import read_document

    with rag.open_library(kept) as library:
        library.search("bubble", 1)  # the primer and the index are there before
        shared_embedder().encode(["warm"] * 33)  # torch is imported before

        def take() -> int:
            added = sum(library.add(read_document(p))[0] for p in sorted(folder.iterdir()))
            library.search("bubble", 1)  # the index is brought in step by the next search
            return added

        return timed(take)


def llama_index(folder: Path, kept: Path) -> tuple[float, float, int]:
    import chromadb
    from llama_index.core import Settings, SimpleDirectoryReader, StorageContext, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.vector_stores.chroma import ChromaVectorStore

    from benchmarks.retrieval import embedding
    from rag.embedding import shared_embedder

    Settings.llm = None
    shared_embedder().encode(["warm"] * 33)
    client = chromadb.PersistentClient(
        path=str(kept), settings=chromadb.config.Settings(anonymized_telemetry=False)
    )
    collection = client.create_collection("papers", embedding_function=None)
    store = ChromaVectorStore(chroma_collection=collection)

    def take() -> int:
        VectorStoreIndex.from_documents(
            SimpleDirectoryReader(str(folder)).load_data(),
            transformations=[SentenceSplitter(chunk_size=256, chunk_overlap=20)],
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=embedding(),
        )
        return int(collection.count())

    return timed(take)


def timed(take: Callable[[], int]) -> tuple[float, float, int]:
    start = time.perf_counter(), time.process_time()
    made = take()
    return time.perf_counter() - start[0], time.process_time() - start[1], made


def measured(side: str, folder: Path, kept: Path) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingestion", "--side", side, str(folder), str(kept)],
        capture_output=True,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return told


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=20, help="papers (default: 20)")
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        side, folder, kept = args.side
        run = {"ours": ours, "llama-index": llama_index}[side]
        clock, work, made = run(Path(folder), Path(kept))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"clock": clock, "work": work, "passages": made, "peak": peak}))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "papers"
        folder.mkdir()
        write(folder, args.n)
        told = {side: measured(side, folder, Path(name) / side) for side in ("ours", "llama-index")}
    print(f"{args.n} papers\n\n| | ours | llama-index | ratio |\n| --- | --- | --- | --- |")
    for row, unit in (("clock", "s"), ("work", "s"), ("passages", ""), ("peak", "MB")):
        one, other = told["ours"][row], told["llama-index"][row]
        print(f"| {row} {unit} | {one:.1f} | {other:.1f} | {one / other:.2f} |")
    rates = {side: each["passages"] / each["work"] for side, each in told.items()}
    print(
        f"| passages per s of work | {rates['ours']:.1f} | {rates['llama-index']:.1f} |"
        f" {rates['ours'] / rates['llama-index']:.2f} |"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
