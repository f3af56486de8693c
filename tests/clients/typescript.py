"""Clients for TypeScript, checked and compiled by tsc with `strict`."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.clients import programs
from tests.clients.programs import READERS, SETTINGS, Program
from tests.support.servers import ROOT

PACKAGES = ROOT / "tests/clients/typescript/node_modules"


def openapi_typescript(document: Path, directory: Path) -> Program:
    """Generate types for openapi-fetch, and compile the program."""
    _prepare("openapi-typescript", document, directory)
    types = directory / "distribu.d.ts"
    _generate(
        ["openapi-typescript", "openapi-3.1.json", "--default-non-nullable=false", "--output", types.name],
        r"✨ openapi-typescript|🚀 ",
        directory,
    )
    _, operations = types.read_text().split("\nexport interface operations {\n")
    return _compiled(directory, set(re.findall(r"^    (\w+): \{$", operations, re.MULTILINE)))


def hey_api(document: Path, directory: Path) -> Program:
    """Generate a client with a function for each operation, and compile the program."""
    _prepare("hey-api", document, directory)
    _generate(["openapi-ts"], r"@hey-api/openapi-ts v|Generating from 1 input|\[1\] |✅ Done!", directory)
    functions = (directory / "distribu/sdk.gen.ts").read_text()
    return _compiled(directory, set(re.findall(r"^export const (\w+) = ", functions, re.MULTILINE)))


def _prepare(name: str, document: Path, directory: Path) -> None:
    for file in [*(SETTINGS / name).iterdir(), READERS / name / "reader.ts", document.with_name("openapi-3.1.json")]:
        shutil.copy(file, directory)
    (directory / "node_modules").symlink_to(PACKAGES)
    (directory / "package.json").write_text('{"type": "module"}')


def _generate(command: Sequence[str], expected: str, directory: Path) -> None:
    """Run a generator. Raises AssertionError if it prints a line that is not `expected`, such as a warning."""
    name, *arguments = command
    output = programs.run([PACKAGES / ".bin" / name, *arguments], directory, environment={"NO_COLOR": "1"})
    assert [line for line in output.splitlines() if line.strip() and not re.search(expected, line)] == []


def _compiled(directory: Path, operations: set[str]) -> Program:
    programs.run([PACKAGES / ".bin/tsc", "--project", directory], directory)
    return Program(["node", "main.js"], directory, operations, ["node", "reader.js"])
