"""Clients by openapi-generator, compiled with what their language needs."""

import re
import shutil
import sys
from pathlib import Path

from tests.clients import programs
from tests.clients.programs import READERS, SETTINGS, Command, Program
from tests.support import debian

GENERATOR = Path(sys.executable).with_name("openapi-generator-cli")
GO_MODULE = "module example.com/orders\n\ngo 1.19\n"
GO_SETTINGS = {"CGO_ENABLED": "0", "GOPROXY": "off", "GOTOOLCHAIN": "local"}


def go(document: Path, directory: Path) -> Program:
    """Generate a package of a Go module, and compile the program."""
    compiler = debian.program("go", "golang-go")
    client = _generate("go", document, directory / "distribu")
    shutil.copy(SETTINGS / "go/main.go", directory)
    shutil.copytree(READERS / "go", directory / "reader")
    (directory / "go.mod").write_text(GO_MODULE)
    assert programs.run([Path(compiler).with_name("gofmt"), "-l", "main.go"], directory) == ""
    for command in (["vet", "./..."], ["build", "-o", "orders", "."], ["build", "-o", "read", "./reader"]):
        programs.run([compiler, *command], directory, environment=GO_SETTINGS)
    operations = _functions(client, "*.go", r"^func \(a \*\w+APIService\) (\w+)")
    return Program([directory / "orders"], directory, operations, [directory / "read"])


def _generate(language: str, document: Path, client: Path) -> Path:
    """Return the directory of a generated client. Raises AssertionError if the generator warns."""
    debian.program("java", "default-jdk-headless")
    settings = SETTINGS / language / "openapi-generator.yaml"
    command: Command = [GENERATOR, "generate", "-c", settings, "-i", document, "-o", client]
    output = programs.run(command, document.parent)
    assert [line for line in output.splitlines() if " INFO " not in line and not line.startswith("#")] == []
    return client


def _functions(client: Path, files: str, pattern: str) -> set[str]:
    texts = (file.read_text() for file in client.rglob(files))
    return {name for text in texts for name in re.findall(pattern, text, re.MULTILINE)}
