"""`python -m assistants.ingestion.child BYTES`: reads files from stdin, in a separate process.

A job is a JSON head and the file's bytes, an answer is a head and the bytes of the file's chunks; the lengths of both
parts precede them. The process ends when its stdin does, even in the middle of a file. It imports little, and the
library of a format when the first file of it arrives.
"""

import json
import os
import queue
import struct
import sys
import threading
from typing import Any, BinaryIO

from assistants.ingestion.confinement import confine, limit_processor, peak_memory
from assistants.ingestion.readers.errors import Invalid, Unsupported
from assistants.ingestion.readers.registry import read
from assistants.search.chunking import chunk
from assistants.search.chunks import encode
from assistants.tokens import of_text

LENGTHS = struct.Struct("!IQ")
"""The lengths of a head and of the bytes after it."""

MEMORY = "memory"
"""The error of a file that needs more memory than is allowed."""

_OUT_OF_MEMORY = {"error": {"code": MEMORY, "message": ""}}


def index(job: dict[str, Any], content: bytes) -> bytes:
    """The bytes of a file's chunks, without vectors.

    Raises
    ------
    Unsupported, Invalid
        The file has no text that can be searched.
    """
    name, most = job["name"], job["tokens"]
    text = read(name, content)
    if len(text) > most * 4 or of_text(text) > most:
        raise Invalid(f"The file has more than {most:,} tokens.")
    spans = chunk(text, job["size"], job["overlap"])

    from assistants.search.segment import segment

    return encode(segment(name, text, spans, None))


def _answer(head: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        limit_processor(head["seconds"])
        return {"error": None}, index(head, content)
    except Unsupported as error:
        return {"error": {"code": "unsupported_file", "message": str(error)}}, b""
    except Invalid as error:
        return {"error": {"code": "invalid_file", "message": str(error)}}, b""
    except MemoryError:
        return _OUT_OF_MEMORY, b""


def _jobs(pipe: BinaryIO) -> "queue.Queue[tuple[dict[str, Any], bytes]]":
    """The jobs of the pipe, read by a thread: at the end of the pipe the process ends."""
    jobs: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue()

    def take() -> None:
        try:
            while lengths := pipe.read(LENGTHS.size):
                head, content = LENGTHS.unpack(lengths)
                jobs.put((json.loads(pipe.read(head)), pipe.read(content)))
            os._exit(0)
        except MemoryError:
            jobs.put(({}, b""))
        except BaseException:  # the pipe ended within a job
            os._exit(1)

    threading.Thread(target=take, daemon=True).start()
    return jobs


def main() -> None:
    """Answer jobs until stdin ends."""
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    confine(int(sys.argv[1]))
    jobs = _jobs(os.fdopen(os.dup(0), "rb"))
    for standard in (0, 1, 2):  # keeps the output of libraries out of the answers and the log
        os.dup2(nothing, standard)
    os.close(nothing)
    while True:
        job, content = jobs.get()
        head, body = _answer(job, content) if job else (_OUT_OF_MEMORY, b"")
        del content
        named = json.dumps({**head, "memory": peak_memory()}).encode()
        answers.write(LENGTHS.pack(len(named), len(body)) + named)
        answers.write(body)
        answers.flush()
        if not job:
            return
        del body


if __name__ == "__main__":
    main()
