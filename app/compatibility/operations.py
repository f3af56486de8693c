"""Compare two versions of an operation: its parameters, bodies, responses, headers and what it requires of a key."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app import spec
from app.compatibility.changes import Change, Difference, Direction, Effect
from app.compatibility.schemas import SchemaComparison, presence
from app.compatibility.shapes import Shapes
from app.spec import Document

PARAMETER_FORM = {"style": None, "explode": None, "allowReserved": False}
CODES = "x-error-codes"  # of a response
SCHEME_MEMBERS = ("type", "scheme", "in", "name", "openIdConnectUrl")


class Part(NamedTuple):
    """A part of an operation, and who sends it."""

    name: str
    direction: Direction


class Located(NamedTuple):
    """A difference, and the name of the part that has it."""

    part: str
    difference: Difference


class OperationComparison:
    """Comparison of the operations of two documents. Those of `webhooks` are sent by the server."""

    def __init__(self, old: Document, new: Document) -> None:
        """Initialize with two bundled documents."""
        self._documents = old, new
        self._old, self._new = Shapes(old), Shapes(new)
        self._schemas = SchemaComparison(self._old, self._new)

    def changes(self, name: str, old: Document, new: Document, *, is_webhook: bool = False) -> Iterator[Change]:
        """Yield the differences of an operation. Its `parameters` include those of its path."""
        sent, received = Direction.SENT, Direction.RECEIVED
        request, response = (received, sent) if is_webhook else (sent, received)
        located = [*self._named(old, new), *self._parameters(old, new, request), *self._body(old, new, request)]
        located += self._responses(old, new, response)
        if not is_webhook:
            located += self._security(old, new)
        for part, found in located:
            yield Change(operation=name, part=part, member=found.member, effect=found.effect, text=found.text)

    def _named(self, old: Document, new: Document) -> Iterator[Located]:
        """Yield a new `operationId`: generated clients have a function with this name."""
        one, other = old.get("operationId"), new.get("operationId")
        if one and one != other:
            yield Located("operationId", Difference("", Effect.BREAKS, f"is {other} instead of {one}"))
        if new.get("deprecated") and not old.get("deprecated"):
            yield Located("operation", Difference("", Effect.CHANGES, "is deprecated"))

    def _parameters(self, old: Document, new: Document, direction: Direction) -> Iterator[Located]:
        olds, news = _by_name(old, self._old), _by_name(new, self._new)
        yield from self._present(olds, news, direction)
        for name in sorted(olds.keys() & news.keys()):
            one, other = olds[name], news[name]
            for member, default in PARAMETER_FORM.items():
                if one.get(member, default) != other.get(member, default):
                    text = f"has the {member} {other.get(member)} instead of {one.get(member)}"
                    yield Located(name, Difference("", Effect.BREAKS, text))
            yield from self._schema(Part(name, direction), one, other)
            yield from self._content(Part(name, direction), one, other)

    def _present(
        self, olds: Mapping[str, Document], news: Mapping[str, Document], direction: Direction
    ) -> Iterator[Located]:
        """Yield which parameters or headers are removed, new, required or optional."""
        for name in sorted(olds.keys() - news.keys()):
            yield Located(name, Difference("", Effect.BREAKS, "is removed"))
        for name in sorted(news.keys() - olds.keys()):
            is_break = direction is Direction.SENT and news[name].get("required", False)
            found = (Effect.BREAKS, "is new and required") if is_break else (Effect.ADDS, "is new")
            yield Located(name, Difference("", *found))
        for name in sorted(olds.keys() & news.keys()):
            was, now = (bool(found[name].get("required", False)) for found in (olds, news))
            difference = presence("", direction, was_required=was, is_required=now)
            if difference is not None:
                yield Located(name, difference)

    def _body(self, old: Document, new: Document, direction: Direction) -> Iterator[Located]:
        name = "request body"
        olds, news = (
            {name: shapes.resolve(operation["requestBody"])} if "requestBody" in operation else {}
            for operation, shapes in ((old, self._old), (new, self._new))
        )
        yield from self._present(olds, news, direction)
        if olds and news:
            yield from _size(Part(name, direction), olds[name], news[name])
            yield from self._content(Part(name, direction), olds[name], news[name])

    def _responses(self, old: Document, new: Document, direction: Direction) -> Iterator[Located]:
        olds, news = old.get("responses", {}), new.get("responses", {})
        for status in sorted(olds.keys() - news.keys()):
            yield Located(f"response {status}", Difference("", Effect.BREAKS, "is removed"))
        for status in sorted(news.keys() - olds.keys()):
            yield Located(f"response {status}", Difference("", Effect.ADDS, "is new"))
        for status in sorted(olds.keys() & news.keys()):
            part = Part(f"response {status}", direction)
            one, other = self._old.resolve(olds[status]), self._new.resolve(news[status])
            yield from _codes(part, one, other)
            yield from self._headers(part, one, other)
            yield from self._content(part, one, other)

    def _headers(self, part: Part, old: Document, new: Document) -> Iterator[Located]:
        olds, news = (
            {
                f"header {name.lower()} of the {part.name}": shapes.resolve(header)
                for name, header in response.get("headers", {}).items()
            }
            for response, shapes in ((old, self._old), (new, self._new))
        )
        yield from self._present(olds, news, part.direction)
        for name in sorted(olds.keys() & news.keys()):
            yield from self._schema(Part(name, part.direction), olds[name], news[name])

    def _content(self, part: Part, old: Document, new: Document) -> Iterator[Located]:
        olds, news = old.get("content", {}), new.get("content", {})
        for media_type in sorted(olds.keys() - news.keys()):
            yield Located(part.name, Difference("", Effect.BREAKS, f"no longer has the media type {media_type}"))
        for media_type in sorted(news.keys() - olds.keys()):
            yield Located(part.name, Difference("", Effect.ADDS, f"has the new media type {media_type}"))
        for media_type in sorted(olds.keys() & news.keys()):
            yield from self._schema(part, olds[media_type], news[media_type])

    def _schema(self, part: Part, old: Document, new: Document) -> Iterator[Located]:
        """Yield the differences of the schemas of two parameters, headers or media types."""
        before, after = ((node["schema"],) if "schema" in node else () for node in (old, new))
        for difference in self._schemas.differences(before, after, part.direction):
            yield Located(part.name, difference)

    def _security(self, old: Document, new: Document) -> Iterator[Located]:
        """Yield what an operation requires in addition. Every old way to call it must remain sufficient."""
        olds, news = (
            _requirements(document, found) for document, found in zip(self._documents, (old, new), strict=True)
        )
        if olds == news:
            return
        is_break = not all(any(other <= one for other in news) for one in olds)
        text = f"requires {_shown(news)} instead of {_shown(olds)}"
        yield Located("operation", Difference("", Effect.BREAKS if is_break else Effect.ADDS, text))


def _codes(part: Part, old: Document, new: Document) -> Iterator[Located]:
    """Yield how the codes of errors differ. An old document without them says nothing about them."""
    olds, news = (set(response.get(CODES, ())) for response in (old, new))
    for code in sorted(olds - news):
        yield Located(part.name, Difference("", Effect.BREAKS, f"no longer has the code {code}"))
    for code in sorted(news - olds) if CODES in old else ():
        yield Located(part.name, Difference("", Effect.ADDS, f"has the new code {code}"))


def _size(part: Part, old: Document, new: Document) -> Iterator[Located]:
    """Yield how the largest body differs that a client may send."""
    before, after = (body.get("x-max-bytes", float("inf")) for body in (old, new))
    if before != after and part.direction is Direction.SENT:
        effect = Effect.BREAKS if after < before else Effect.ADDS
        yield Located(part.name, Difference("", effect, f"can have {after} bytes instead of {before}"))


def _by_name(operation: Document, shapes: Shapes) -> dict[str, Document]:
    """Return the parameters by location and name."""
    parameters = [shapes.resolve(parameter) for parameter in operation["parameters"]]
    return {f"{found['in']} parameter {_name(operation, found)}": found for found in parameters}


def _name(operation: Document, parameter: Document) -> str:
    """Return what identifies a parameter in a request: the name of a header without case, the position in a path."""
    name = str(parameter["name"])
    if parameter["in"] == "path":
        return str(1 + operation["x-path-names"].index(name))
    return name.lower() if parameter["in"] == "header" else name


def _requirements(document: Document, operation: Document) -> frozenset[frozenset[str]]:
    """Return the ways to be allowed to call an operation: the schemes and the scopes that each of them needs."""
    schemes = document.get("components", {}).get("securitySchemes", {})
    scope = operation.get("x-scope", spec.ANY_KEY)
    scopes = frozenset() if scope == spec.ANY_KEY else frozenset({f"the scope {scope}"})
    ways = operation.get("security", document.get("security", [])) or [{}]
    return frozenset(
        frozenset(
            {_scheme(schemes.get(name, {"type": name})) for name in way}
            | {f"the scope {role}" for roles in way.values() for role in roles}
            | (scopes if way else frozenset())
        )
        for way in ways
    )


def _scheme(scheme: Document) -> str:
    return " ".join(str(scheme[name]) for name in SCHEME_MEMBERS if name in scheme)


def _shown(ways: frozenset[frozenset[str]]) -> str:
    return " or ".join(sorted(" with ".join(sorted(way)) or "nothing" for way in ways))
