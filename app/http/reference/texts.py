"""`/llms.txt`, and the files that it links to, at the paths that they have in the repository.

They are the same for every server: none of them has its address.
"""

import re
from pathlib import Path

from app.http.reference import files, pages
from app.http.system_response import Source

ROOT = Path(__file__).resolve().parents[3]
INDEX = "llms.txt"
LINK = re.compile(r"\]\((docs/[^)]+)\)")
MEDIA_TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}


def sources() -> dict[str, Source]:
    """Return what responds at each path."""
    paths = [INDEX, *LINK.findall((ROOT / INDEX).read_text("utf-8"))]
    return {f"/{path}": _source(ROOT / path) for path in paths}


def _source(file: Path) -> Source:
    return files.source(
        files.stored(file), MEDIA_TYPES[file.suffix], lifetime=files.REVALIDATED, policy=pages.NO_SCRIPTS
    )
