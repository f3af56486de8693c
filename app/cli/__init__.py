"""The `distribu` command. One module per noun; `program` puts them together and says what an error looks like."""

import io
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line of this process and exit."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal knows every letter of a name
    try:
        from app.cli import program  # noqa: PLC0415 - loading takes long enough for somebody to press Ctrl-C

        code = program.run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)
