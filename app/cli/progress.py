"""Progress bars on standard error. A separate module, because most commands need not import them."""

from rich.progress import Progress

from app.cli import output


def bars(*, hidden: bool = False) -> Progress:
    """Return progress bars that are visible on a terminal only, and disappear at the end."""
    console = output.terminal()
    return Progress(console=console, disable=hidden or not console.is_terminal, transient=True)
