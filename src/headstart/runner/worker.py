"""What a worker process does: receive a job, then items, and send back values or exceptions."""

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from multiprocessing.connection import Connection, wait

from headstart.errors import WorkerError

NAMED = "HEADSTART_WORKER"  # set in the environment of workers
READY, JOB, ITEM = b"ready", b"j", b"i"  # a whole message, or the start of one


def serve(connection: Connection) -> None:
    """Answer until the driver closes the pipe or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    job: object = b""
    try:
        connection.send_bytes(READY)
        while True:
            content = connection.recv_bytes()
            if content.startswith(JOB):
                job = content[1:]
            else:
                done, job = answer(job, content[1:])
                connection.send_bytes(done)
    except (EOFError, OSError):
        return


def _end_with_driver() -> None:
    driver = multiprocessing.parent_process()
    assert driver is not None
    wait([driver.sentinel])
    os._exit(1)


def answer(job: object, item: bytes) -> tuple[bytes, object]:
    """The pickled (value, exception) of one item, and the job, which is unpickled for its first item."""
    try:
        called = pickle.loads(job) if isinstance(job, bytes) else job
        assert callable(called)
        job = called
        return pickle.dumps((called(pickle.loads(item)), None), pickle.HIGHEST_PROTOCOL), job
    except Exception as error:  # every exception of a job belongs to its item
        return pickle.dumps((None, _sendable(error))), job


def _sendable(error: Exception) -> Exception:
    """The exception with its traceback as a note, or a WorkerError with its text if it cannot be pickled."""
    note = f"In a worker process:\n{''.join(traceback.format_exception(error))}"
    error.add_note(note)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # pickling runs the exception's own code
        error = WorkerError(f"{type(error).__name__}: {error}")
        error.add_note(note)
    return error
