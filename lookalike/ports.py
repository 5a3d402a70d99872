"""python -P lookalike/ports.py PORT: whether a server can listen there, for the Makefile."""

from __future__ import annotations

import socket
import sys

HOST = "127.0.0.1"


def main(port: str) -> str | None:
    """Try to listen.

    Args:
        port: as it was given.

    Returns:
        What is wrong and what to do; None where a server can listen.
    """
    another = "name another: make demo PORT=9000"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 2**16):
        return f"PORT={port} is not a number from 1 to 65535: {another}"
    with socket.socket() as listener:
        # As gunicorn does: a port that was used a moment ago is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, int(port)))
        except OSError as error:
            return f"port {port} of {HOST} cannot be used ({error.strerror}): stop what uses it, or {another}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
