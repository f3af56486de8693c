"""The root command: help and completion without imports, and what happens to standard streams that are closed."""

import os
import subprocess
import sys

import click
import pytest

from app.cli import program
from tests.support.servers import ROOT

HEAVY = ("sqlalchemy", "marshmallow", "rich", "connexion", "app.services", "models")
REPORT_IMPORTS = (
    "import atexit, sys; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr));"
    "sys.argv[0] = 'distribu'; from app.cli import main; main()"
)


def imports(*arguments: str, **environment: str) -> tuple[str, set[str]]:
    """Run a command; return what it printed, and the modules that it imported."""
    process = subprocess.run(
        [sys.executable, "-c", REPORT_IMPORTS, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return process.stdout, set(process.stderr.split())


def shell(redirection: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command with a standard stream closed."""
    command = f'"$@" {redirection}'
    return subprocess.run(
        ["bash", "-c", command, "bash", sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
    )


class TestCommands:
    @pytest.mark.parametrize("name", sorted(program.COMMANDS))
    def test_the_summary_equals_that_of_the_command(self, name: str) -> None:
        deferred = program.distribu.commands[name]
        assert isinstance(deferred, program.DeferredCommand)

        assert deferred.load().name == name
        assert deferred.get_short_help_str(200) == deferred.load().get_short_help_str(200)

    def test_help_imports_no_command(self) -> None:
        printed, modules = imports("--help")

        assert all(name in printed for name in program.COMMANDS)
        assert not modules.intersection(HEAVY)

    def test_completion_imports_no_command(self) -> None:
        words = {"COMP_WORDS": "distribu k", "COMP_CWORD": "1", "_DISTRIBU_COMPLETE": "bash_complete"}
        printed, modules = imports(**words)

        assert printed == "plain,key\n"
        assert not modules.intersection(HEAVY)

    def test_completion_knows_the_commands_of_a_group(self) -> None:
        words = {"COMP_WORDS": "distribu key l", "COMP_CWORD": "2", "_DISTRIBU_COMPLETE": "bash_complete"}

        assert imports(**words)[0] == "plain,list\n"

    def test_a_command_runs_under_its_own_name(self) -> None:
        with pytest.raises(click.exceptions.MissingParameter) as caught:
            program.distribu.main(["key", "list"], prog_name="distribu", standalone_mode=False)

        assert caught.value.ctx is not None
        assert caught.value.ctx.command_path == "distribu key list"


class TestStandardStreams:
    def test_a_closed_standard_output_is_an_error_in_one_line(self) -> None:
        process = shell(">&-", "openapi")

        assert process.returncode == 2
        assert process.stderr.startswith(b"Error: Standard output is closed.")
        assert process.stderr.count(b"\n") == 1

    @pytest.mark.parametrize("redirection", ["2>&-", "<&-", "2>&- <&-"])
    def test_other_closed_streams_do_not_matter(self, redirection: str) -> None:
        process = shell(redirection, "openapi")

        assert process.returncode == 0
        assert process.stdout.startswith(b"openapi: 3.0.3")
        assert process.stderr == b""

    def test_without_any_output_the_exit_code_remains(self) -> None:
        assert shell(">&- 2>&-", "openapi").returncode == 2

    def test_a_full_disk_is_an_error_in_one_line(self) -> None:
        process = shell(">/dev/full", "openapi")

        assert process.returncode == 1
        assert process.stderr == b"Error: Input or output: No space left on device.\n"
