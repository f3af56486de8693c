"""The `distribu` command: one module for each group of commands. `program` composes them and handles their errors."""

import io
import os
import sys

UNUSABLE, INTERRUPTED = 2, 130


def main() -> None:
    """Run the command line of this process and exit."""
    _require_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not have every letter of a name
    try:
        from app.cli import program  # noqa: PLC0415 - Ctrl-C may come while this loads

        code = program.run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _require_standard_streams() -> None:
    """Exit if standard output is closed (`>&-`): the next file opened would get its number, and receive the result.

    Standard input and standard error may be closed: /dev/null replaces them.
    """
    for name, number in (("stdin", 0), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(_null(number), "r" if name == "stdin" else "w"))
    if sys.stdout is None:
        sys.stderr.write("Error: Standard output is closed. To discard the result, redirect it to /dev/null.\n")
        sys.exit(UNUSABLE)


def _null(number: int) -> int:
    """Open /dev/null as the file descriptor `number`, and return it."""
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    return number
