"""The layout of the tests: a module is named after the source that it tests, and a helper class has a unique name."""

import ast
from collections import Counter

from tests.support.servers import ROOT

TESTS = ROOT / "tests"
# What several modules do together: the benchmarks, generated clients, the API as a whole, the documentation, failures,
# these helpers.
CAPABILITIES = {"benchmarks", "clients", "contract", "docs", "failures", "support"}
WHOLE_FOLDERS = {
    "tests/app/test_architecture.py",
    "tests/app/test_types.py",
    "tests/http/test_edge.py",
    "tests/models/test_tables.py",
}
SOURCES = {"app": ["app"], "http": ["app/http", "handlers"], "models": ["models"]}  # otherwise the folder in app/


def test_a_module_is_named_after_the_source_that_it_tests() -> None:
    """A second module for a source has a suffix, as test_listing_plans has for listing."""
    unnamed = []
    for file in TESTS.glob("*/test_*.py"):
        folder, name = file.parent.name, file.stem.removeprefix("test_")
        path = file.relative_to(ROOT).as_posix()
        if folder not in CAPABILITIES and path not in WHOLE_FOLDERS:
            sources = [
                source.stem for place in SOURCES.get(folder, [f"app/{folder}"]) for source in (ROOT / place).iterdir()
            ]
            if not any(f"{name}_".startswith(f"{source}_") for source in sources):
                unnamed.append(path)

    assert unnamed == []


def test_a_helper_class_has_a_unique_name() -> None:
    names = Counter(
        node.name
        for file in TESTS.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("Test")
    )

    assert [name for name, count in names.items() if count > 1] == []
