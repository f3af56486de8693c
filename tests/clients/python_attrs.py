"""A client by openapi-python-client, checked by mypy."""

import shutil
import sys
from pathlib import Path

from tests.clients import programs
from tests.clients.programs import READERS, SETTINGS, Command, Program

TOOLS = Path(sys.executable).parent
FOLDER = "openapi-python-client"


def openapi_python_client(document: Path, directory: Path) -> Program:
    """Generate a package, and check the types of the program that uses it."""
    for file in [*(SETTINGS / FOLDER).iterdir(), *(READERS / FOLDER).iterdir()]:
        shutil.copy(file, directory)
    generate: Command = [
        *(TOOLS / "openapi-python-client", "generate", "--path", document, "--config", "openapi-python-client.yaml"),
        *("--meta", "none", "--output-path", "distribu", "--fail-on-warning"),
    ]
    assert programs.run(generate, directory) == "Generating distribu\n"
    programs.run([TOOLS / "ruff", "format", "--isolated", "--check", "--line-length", "120", "main.py"], directory)
    programs.run([TOOLS / "mypy", "--strict", "main.py", "reader.py", "distribu"], directory)
    operations = {file.stem for file in (directory / "distribu/api").glob("*/*.py")}
    return Program([sys.executable, "main.py"], directory, operations, [sys.executable, "reader.py"])
