"""`distribu openapi diff`: what differs between two documents, and whether it breaks clients."""

import json
from pathlib import Path

import click
import yaml

from app import spec
from app.cli import options, output
from app.compatibility import changes, documents
from app.compatibility.changes import Change, Group
from app.spec import Document

COLUMNS = ("effect", "operation", "part", "member", "change")

file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("old", type=file)
@click.argument("new", type=file)
@options.as_json
@click.option("--breaks", "is_only_breaks", is_flag=True, help="Print only what breaks clients.")
@click.option("--changelog", "is_changelog", is_flag=True, help="Print the additions as lines of a changelog.")
def diff(old: Path, new: Path, as_json: bool, is_only_breaks: bool, is_changelog: bool) -> int:
    """Compare two documents.

    Fails if NEW breaks clients of OLD. Both are files, JSON or YAML, of the same edition. A request breaks when
    something is removed, narrowed or required, and a response when something that it contained is missing.
    Descriptions, examples and the names of components do not matter. The exit code is 1 if anything breaks.
    """
    found = documents.compare(*_documents(old, new))
    broken = changes.breaking(found)
    shown = broken if is_only_breaks else found
    if is_changelog:
        output.text("\n".join(changes.changelog(found)))
    else:
        rows = [_row(change) for change in (shown if as_json else changes.grouped(shown))]
        output.records(rows, as_json=as_json, columns=COLUMNS, empty="Nothing breaks clients.")
    if broken:
        output.note(f"{len(broken)} changes break clients." if len(broken) > 1 else "One change breaks clients.")
    return 1 if broken else 0


def _documents(old: Path, new: Path) -> tuple[Document, Document]:
    """Return both documents. Raises SpecError for what is not a document, and for different editions."""
    one, other = (_document(path) for path in (old, new))
    editions = [document["openapi"].rpartition(".")[0] for document in (one, other)]
    if editions[0] != editions[1]:
        raise spec.SpecError(f"{old} is OpenAPI {editions[0]}, but {new} is {editions[1]}. Compare the same edition.")
    return one, other


def _document(path: Path) -> Document:
    """Return a document. Raises SpecError if the file contains none."""
    text = path.read_text("utf-8", errors="replace")
    try:
        content = json.loads(text) if text.lstrip().startswith("{") else spec.read(path)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise spec.SpecError(f"{path} is neither JSON nor YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("openapi"), str) or "paths" not in content:
        raise spec.SpecError(f"{path} is not an OpenAPI document: 'openapi' or 'paths' is missing.")
    return content


def _row(change: Change | Group) -> dict[str, object]:
    one = change.change if isinstance(change, Group) else change
    place = {"operation": change.operation, "part": change.part}
    return {"effect": one.effect.value, **place, "member": one.member, "change": one.text}
