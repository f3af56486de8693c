"""Compare two OpenAPI documents, of version 3.0 or 3.1."""

import re
from collections.abc import Iterator

from app import spec
from app.compatibility.changes import Change, Effect
from app.compatibility.operations import OperationComparison
from app.spec import Document

PATH_PARAMETER = re.compile(r"\{([^}]*)\}")
METHODS = (*spec.METHODS, "head", "options", "trace")


def compare(old: Document, new: Document) -> list[Change]:
    """Return every change of the operations and the webhooks, in the order of the new document."""
    comparison = OperationComparison(old, new)
    operations = _changes(comparison, _operations(old), _operations(new), is_webhook=False)
    return [*operations, *_changes(comparison, _webhooks(old), _webhooks(new), is_webhook=True)]


def _changes(
    comparison: OperationComparison, olds: dict[str, Document], news: dict[str, Document], *, is_webhook: bool
) -> Iterator[Change]:
    for key in sorted(olds.keys() - news.keys()):
        yield _whole(olds[key], Effect.BREAKS, "is removed")
    for key, new in news.items():
        if key in olds:
            yield from comparison.changes(new["x-name"], olds[key], new, is_webhook=is_webhook)
        else:
            yield _whole(new, Effect.ADDS, f"is new: {new.get('summary', 'no summary')}")


def _whole(operation: Document, effect: Effect, text: str) -> Change:
    return Change(operation=operation["x-name"], part="", member="", effect=effect, text=text)


def _operations(document: Document) -> dict[str, Document]:
    """Return the operations by method and path. Names of parameters in a path do not matter to clients."""
    return {
        f"{method} {PATH_PARAMETER.sub('{}', path)}": _complete(item, method, f"{method.upper()} {path}")
        for path, item in document.get("paths", {}).items()
        for method in METHODS
        if method in item
    }


def _webhooks(document: Document) -> dict[str, Document]:
    items: Document = document.get("webhooks") or document.get("x-webhooks") or {}
    return {
        f"{method} {name}": _complete(item, method, f"webhook {name}")
        for name, item in items.items()
        for method in METHODS
        if method in item
    }


def _complete(item: Document, method: str, name: str) -> Document:
    """Return an operation with its name, the names in its path, and the parameters of its path."""
    parameters = [*item.get("parameters", ()), *item[method].get("parameters", ())]
    return {**item[method], "parameters": parameters, "x-name": name, "x-path-names": PATH_PARAMETER.findall(name)}
