"""The file `llms.txt`: what the API is and where its reference is, for language models (llmstxt.org)."""

from collections.abc import Iterable

from app.api_reference import markdown
from app.api_reference.operations import OperationReference, by_tag
from app.spec import Document

# Each page with what it says. Links are relative: they are the same in the repository and on a server.
GUIDES = {
    "docs/quickstart.md": ("Quick start", "from a new server to the first order"),
    "docs/pagination.md": ("Pagination", "how to read long lists"),
    "docs/syncing.md": ("Syncing", "how to keep a copy without missing a change"),
    "docs/idempotency.md": ("Idempotency", "how to retry a request safely"),
    "docs/recipes.md": ("Recipes", "reading, syncing, ordering, shipping, returns and reports"),
    "docs/contract.md": ("Contract", "what the API guarantees"),
    "docs/errors.md": ("Errors", "every error code and what to do about it"),
    "docs/webhooks.md": ("Webhooks", "how to receive and verify events"),
    "docs/clients.md": ("Clients", "generating a client, with the settings for each language"),
    "docs/importing.md": ("Importing", "products and prices from CSV files"),
}
FILES = {
    "docs/api/README.md": ("All operations", "methods, paths and scopes in one table"),
    "docs/api/distribu.postman_collection.json": ("Postman collection", "every operation as a request"),
    "docs/cli.md": ("Command line", "for the operators of a server"),
}

ADDRESS = (
    "**Address.** `/api/v1` on the server, such as `http://127.0.0.1:8000/api/v1`, with an API key in the header"
    " `Authorization: Bearer`. `/api/v1/openapi.json` is the OpenAPI document, and `/docs` its reference page."
)


def render(document: Document, references: Iterable[OperationReference]) -> str:
    """Return the file: a title, a summary, the rules of the whole API, and links."""
    info = document["info"]
    summary, _, rules = info["description"].strip().partition("\n\n")
    parts = [
        f"# {info['title']}",
        f"> {' '.join(summary.split())}",
        ADDRESS,
        rules,
        _section("Guides", (_link(path, *texts) for path, texts in GUIDES.items())),
        *(_section(tag, map(_operation, found)) for tag, found in by_tag(references)),
        _section("Optional", (_link(path, *texts) for path, texts in FILES.items())),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, links: Iterable[str]) -> str:
    return "\n".join([f"## {title}", "", *links])


def _operation(reference: OperationReference) -> str:
    operation = reference.operation
    request = f"`{operation.method} {operation.path}`, {markdown.access(reference)}"
    return _link(f"docs/api/{operation.id}.md", reference.summary, request)


def _link(path: str, title: str, text: str) -> str:
    return f"- [{title}]({path}): {text}"
