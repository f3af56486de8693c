"""The files of the reference: `make docs` writes them."""

from pathlib import Path

from app import spec
from app.api_reference import llms_text, markdown, operations, postman
from app.spec import Document

ROOT = Path(__file__).parents[2]
PAGES = "docs/api"


def render(document: Document) -> dict[str, str]:
    """Return the text of every file by its path."""
    references = operations.read(document)
    return {
        **{f"{PAGES}/{found.operation.id}.md": markdown.page(found) for found in references},
        f"{PAGES}/README.md": markdown.index(references, document["info"]["title"]),
        f"{PAGES}/distribu.postman_collection.json": postman.render(document, references),
        "llms.txt": llms_text.render(document, references),
    }


def write(root: Path, files: dict[str, str]) -> None:
    """Write the files below `root`. Remove other pages: those of operations that no longer exist."""
    (root / PAGES).mkdir(exist_ok=True)
    for file in (root / PAGES).iterdir():
        if f"{PAGES}/{file.name}" not in files:
            file.unlink()
    for path, text in files.items():
        (root / path).write_text(text, "utf-8")


if __name__ == "__main__":
    write(ROOT, render(spec.published()))
