"""The `distribu` command. One module per noun; `program` puts them together and says what an error looks like."""

import io
import os
import sys

UNUSABLE, INTERRUPTED = 2, 130


def main() -> None:
    """Run the command line of this process and exit."""
    _require_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal knows every letter of a name
    try:
        from app.cli import program  # noqa: PLC0415 - loading takes long enough for somebody to press Ctrl-C

        code = program.run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


def _require_standard_streams() -> None:
    """Refuse to start without standard output (`>&-`): the next file opened would get its number, and the result.

    Standard input and standard error may be closed: they are replaced by nothing.
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
