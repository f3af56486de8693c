"""Clients by openapi-generator, compiled with what their language needs."""

import re
import shutil
import sys
from importlib import resources
from pathlib import Path

from tests.clients import programs
from tests.clients.programs import READERS, SETTINGS, Command, Program
from tests.support import debian

TOOLS = Path(sys.executable).parent
GENERATOR = TOOLS / "openapi-generator-cli"
# What the generator prints for every document with a string, and for every one with an example of a request.
ALWAYS = {"Failed to get the schema name: null", "Ignoring complex example on request body"}
# An object without listed fields, such as `metadata` of an audit entry, becomes Dict[str, Any], as it should.
OPEN_OBJECTS = {"Codegen property is null (e.g. map/dict of undefined type). Default to typing.Any."}
ANNOTATIONS = Path("/usr/share/java/jakarta-annotation-api.jar")
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


def java(document: Path, directory: Path) -> Program:
    """Generate classes, and compile the program without warnings. The JAR of the generator has Jackson."""
    compiler = debian.program("javac", "default-jdk-headless")
    debian.file(ANNOTATIONS, "libjakarta-annotation-api-java")
    client = _generate("java", document, directory / "client")
    sources = [file for file in client.rglob("*.java") if "main" in file.parts]
    path = f"classes:{resources.files('openapi_generator_cli') / 'openapi-generator.jar'}:{ANNOTATIONS}"
    compile_: Command = [compiler, "-proc:none", "-classpath", path, "-d", "classes"]
    programs.run([*compile_, *sources], directory)
    written = [SETTINGS / "java/Main.java", READERS / "java/Reader.java"]
    programs.run([*compile_, "-Xlint:all", "-Werror", *written], directory)
    operations = _functions(client, "*Api.java", r"^  public \w+ (\w+)\(")
    run = ["java", "-classpath", path]
    return Program([*run, "Main"], directory, operations, [*run, "Reader"])


def python(document: Path, directory: Path) -> Program:
    """Generate a package, and check the types of the program that uses it."""
    client = _generate("python", document, directory / "client")
    (client / "distribu").rename(directory / "distribu")
    for file in (SETTINGS / "python/main.py", READERS / "python/reader.py"):
        shutil.copy(file, directory)
    programs.run([TOOLS / "ruff", "format", "--isolated", "--check", "--line-length", "120", "main.py"], directory)
    programs.run([TOOLS / "mypy", "--strict", "--follow-imports=silent", "main.py", "reader.py"], directory)
    operations = _functions(directory / "distribu/api", "*.py", r"^    def (\w+)")
    return Program([sys.executable, "main.py"], directory, operations, [sys.executable, "reader.py"])


def _generate(language: str, document: Path, client: Path) -> Path:
    """Return the directory of a generated client. Raises AssertionError if the generator warns."""
    debian.program("java", "default-jdk-headless")
    settings = SETTINGS / language / "openapi-generator.yaml"
    command: Command = [GENERATOR, "generate", "-c", settings, "-i", document, "-o", client]
    lines = programs.run(command, document.parent).splitlines()
    printed = {line.rsplit(" - ", 1)[-1] for line in lines if " INFO " not in line and not line.startswith("#")}
    assert printed - ALWAYS - OPEN_OBJECTS == set()
    return client


def _functions(client: Path, files: str, pattern: str) -> set[str]:
    texts = (file.read_text() for file in client.rglob(files))
    return {name for text in texts for name in re.findall(pattern, text, re.MULTILINE)}
