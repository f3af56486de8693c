"""Progress bars on standard error. A separate module, because most commands need not import them."""

from collections.abc import Callable

from rich.progress import Progress, TaskID

from app.cli import output


def bars(*, hidden: bool = False) -> Progress:
    """Return progress bars that are visible on a terminal only, and disappear at the end."""
    console = output.terminal()
    return Progress(console=console, disable=hidden or not console.is_terminal, transient=True)


def updating(bars: Progress) -> Callable[[str, int, int], None]:
    """Return a function that shows the completed amount of a step, and its total, in a bar for each step."""
    tasks: dict[str, TaskID] = {}

    def update(step: str, done: int, total: int) -> None:
        if step not in tasks:
            tasks[step] = bars.add_task(step, total=total)
        bars.update(tasks[step], completed=done)

    return update
