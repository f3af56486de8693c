"""docs/cli.md: the reference of the commands."""

import click
import pytest

from app.cli import program, reference
from tests.support.servers import ROOT

PAGE = (ROOT / "docs/cli.md").read_text()


def commands() -> dict[str, click.Command]:
    """Return every command and every group by its path, such as `key create`."""
    found: dict[str, click.Command] = {}
    for name, deferred in program.distribu.commands.items():
        assert isinstance(deferred, program.DeferredCommand)
        found[name] = command = deferred.load()
        if isinstance(command, click.Group):
            found |= {f"{name} {member}": subcommand for member, subcommand in command.commands.items()}
    return found


COMMANDS = commands()


def test_the_page_is_up_to_date() -> None:
    assert reference.update(PAGE) == PAGE, "docs/cli.md is out of date. Run: make docs"


def test_text_above_the_marker_is_kept() -> None:
    assert reference.update(f"Introduction\n\n{reference.MARKER}\n\nold\n").startswith("Introduction\n\n<!-- Gen")


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_a_section(path: str) -> None:
    assert f"# distribu {path}\n" in PAGE


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_has_a_help_text(path: str) -> None:
    options = [param for param in COMMANDS[path].params if isinstance(param, click.Option)]

    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize(
    "path", ["", *(path for path, command in COMMANDS.items() if isinstance(command, click.Group))]
)
def test_no_summary_is_cut_in_the_list_of_commands(path: str) -> None:
    command = COMMANDS.get(path, program.distribu)
    ctx = click.Context(command, terminal_width=80)

    assert "..." not in command.get_help(ctx).partition("Commands:")[2]
