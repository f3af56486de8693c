"""Compare what two schemas allow, in one direction: a client sends the value, or receives it."""

from collections.abc import Iterable, Iterator

from app.compatibility.changes import Difference, Direction, Effect
from app.compatibility.shapes import AT_LEAST_ONE, Schemas, Shape, Shapes

Found = tuple[Difference, ...]


class SchemaComparison:
    """Comparison of the schemas of two documents. Each pair of schemas is compared once."""

    def __init__(self, old: Shapes, new: Shapes) -> None:
        """Initialize with the schemas of both documents."""
        self._old, self._new = old, new
        self._found: dict[tuple[object, ...], Found] = {}

    def differences(self, old: Schemas, new: Schemas, direction: Direction) -> Found:
        """Return every difference, with the path of its member. A schema that contains itself is compared once."""
        key = (self._old.key(old), self._new.key(new), direction)
        if key not in self._found:
            self._found[key] = ()
            self._found[key] = tuple(dict.fromkeys(self._compare(old, new, direction)))
        return self._found[key]

    def _compare(self, old: Schemas, new: Schemas, direction: Direction) -> Iterator[Difference]:
        """Yield the differences of the alternatives. Without alternatives, a value has one."""
        olds, news = self._old.alternatives(old), self._new.alternatives(new)
        if len(olds) == 1 and (len(news) == 1 or direction is Direction.RECEIVED):
            for _, found in news:
                yield from self._compare_shapes(olds[0][1], found, direction)
        else:
            yield from self._compare_alternatives(olds, dict(news), direction)

    def _compare_alternatives(
        self, olds: Iterable[tuple[str, Schemas]], news: dict[str, Schemas], direction: Direction
    ) -> Iterator[Difference]:
        """Yield the differences to the first alternative that breaks no client, or else to that with the same label."""
        used = set()
        for label, found in olds:
            partner = self._compatible(label, found, news, direction) or label
            if partner in news:
                used.add(partner)
                yield from self._compare_shapes(found, news[partner], direction)
            else:
                yield Difference("", Effect.BREAKS, f"no longer has the alternative {label}")
        for label in sorted(news.keys() - used):
            yield Difference("", Effect.ADDS, f"has the new alternative {label}")

    def _compatible(self, label: str, old: Schemas, news: dict[str, Schemas], direction: Direction) -> str | None:
        for name in sorted(news, key=lambda name: name != label):
            differences = self._compare_shapes(old, news[name], direction)
            if not any(difference.effect is Effect.BREAKS for difference in differences):
                return name
        return None

    def _compare_shapes(self, old: Schemas, new: Schemas, direction: Direction) -> Iterator[Difference]:
        before, after = self._old.shape(old), self._new.shape(new)
        for effect, text in _rules(before, after, direction):
            yield Difference("", effect, text)
        yield from self._members(before, after, direction)
        for path, one, other in (("[]", before.items, after.items), ("*", before.others, after.others)):
            if one or other:
                found = self.differences(one or ({},), other or ({},), direction)
                yield from (difference.below(path) for difference in found)

    def _members(self, before: Shape, after: Shape, direction: Direction) -> Iterator[Difference]:
        for name in dict.fromkeys([*before.members, *sorted(before.required), *after.members, *sorted(after.required)]):
            old, new = before.members.get(name), after.members.get(name)
            difference = _presence(name, before, after, direction)
            if difference is not None:
                yield difference
            if old is not None and new is not None:
                found = self.differences(old, new, direction)
                yield from (part.below(name) for part in found)


def _presence(name: str, before: Shape, after: Shape, direction: Direction) -> Difference | None:
    """Return how the presence of a member differs."""
    was_required, is_required = name in before.required, name in after.required
    if name not in before.members and name not in before.required:
        is_break = is_required and direction is Direction.SENT
        return Difference(name, Effect.BREAKS, "is new and required") if is_break else _added(name)
    if name not in after.members and (name in before.members or not is_required):
        return Difference(name, Effect.BREAKS, "is removed")
    return presence(name, direction, was_required=was_required, is_required=is_required)


def _added(name: str) -> Difference:
    return Difference(name, Effect.ADDS, "is new")


def presence(name: str, direction: Direction, *, was_required: bool, is_required: bool) -> Difference | None:
    """Return what it means that a member, parameter or header becomes required or optional."""
    if was_required == is_required:
        return None
    if direction is Direction.SENT:
        return Difference(name, Effect.BREAKS, "is required") if is_required else _optional(name)
    return (
        Difference(name, Effect.ADDS, "is always present")
        if is_required
        else Difference(name, Effect.BREAKS, "can be absent")
    )


def _optional(name: str) -> Difference:
    return Difference(name, Effect.ADDS, "is optional")


def _rules(before: Shape, after: Shape, direction: Direction) -> Iterator[tuple[Effect, str]]:
    """Yield how the rules for the value itself differ."""
    yield from _types(before, after, direction)
    yield from _values(before, after, direction)
    for text, is_tighter in _limits(before, after):
        effect = Effect.CHANGES if direction is Direction.RECEIVED else Effect.BREAKS if is_tighter else Effect.ADDS
        yield effect, text
    yield from _texts(before, after, direction)
    if direction is Direction.SENT:
        yield from _sent_rules(before, after)


def _types(before: Shape, after: Shape, direction: Direction) -> Iterator[tuple[Effect, str]]:
    for name in sorted(before.types - after.types):
        if direction is Direction.SENT:
            yield Effect.BREAKS, f"can no longer be {_type_name(name, before)}"
        else:
            yield Effect.CHANGES, f"is no longer {_type_name(name, before)}"
    for name in sorted(after.types - before.types):
        if direction is Direction.SENT:
            yield Effect.ADDS, f"can be {_type_name(name, after)}"
        else:
            yield Effect.BREAKS, f"can be {_type_name(name, after)}"


def _type_name(name: str, shape: Shape) -> str:
    if name == "null":
        return name
    if name == "number" and "integer" in shape.types:
        return "a number that is not whole"
    return f"an {name}" if name[0] in "aio" else f"a {name}"


def _values(before: Shape, after: Shape, direction: Direction) -> Iterator[tuple[Effect, str]]:
    old, new = before.allowed, after.allowed
    if direction is Direction.RECEIVED:
        old, new = before.known_values or old, after.known_values or new
    if old is not None and new is not None:
        yield from ((Effect.BREAKS, f"no longer has the value {value}") for value in sorted(old - new))
        yield from ((Effect.ADDS, f"has the new value {value}") for value in sorted(new - old))
    elif new is not None:
        values = ", ".join(sorted(new))
        is_sent = direction is Direction.SENT
        yield (Effect.BREAKS, f"has only the values {values}") if is_sent else (Effect.CHANGES, f"lists {values}")
    elif old is not None:
        is_wider = direction is Direction.SENT
        yield Effect.ADDS if is_wider else Effect.CHANGES, "can have any value"
    else:
        yield from _excluded(before, after, direction)


def _excluded(before: Shape, after: Shape, direction: Direction) -> Iterator[tuple[Effect, str]]:
    is_sent = direction is Direction.SENT
    for value in sorted(after.excluded - before.excluded):
        yield Effect.BREAKS if is_sent else Effect.CHANGES, f"no longer has the value {value}"
    for value in sorted(before.excluded - after.excluded):
        yield Effect.ADDS, f"has the new value {value}"


def _limits(before: Shape, after: Shape) -> Iterator[tuple[str, bool]]:
    """Yield how limits differ, and whether the new one is tighter."""
    for old, new, tighter in ((before.lower, after.lower, max), (before.upper, after.upper, min)):
        for name in sorted(old.keys() | new.keys()):
            one, other = old.get(name), new.get(name)
            if other is None:
                yield f"no longer has {name}", False
            elif one is None:
                yield f"has {name} {other[0]}", True
            elif one != other:
                yield f"has {name} {other[0]} instead of {one[0]}", tighter(one, other) == other


def _texts(before: Shape, after: Shape, direction: Direction) -> Iterator[tuple[Effect, str]]:
    """Yield how patterns, formats and steps differ. Clients parse a received value by its format only."""
    for name in sorted(before.texts.keys() | after.texts.keys()):
        old, new = before.texts.get(name, frozenset()), after.texts.get(name, frozenset())
        if old == new:
            continue
        if direction is Direction.SENT:
            effect = Effect.BREAKS if new - old else Effect.ADDS
        else:
            effect = Effect.BREAKS if name == "format" and old else Effect.CHANGES
        yield effect, _replaced(name, old, new)


def _replaced(name: str, old: Iterable[str], new: Iterable[str]) -> str:
    """Return the text for a rule that is new, removed or replaced."""
    before, after = " and ".join(sorted(old)), " and ".join(sorted(new))
    if not after:
        return f"no longer has the {name} {before}"
    return f"has the {name} {after}" + (f" instead of {before}" if before else "")


def _sent_rules(before: Shape, after: Shape) -> Iterator[tuple[Effect, str]]:
    """Yield how the rules differ that only matter for what clients send."""
    for rule, members in sorted(after.groups - before.groups):
        effect = Effect.CHANGES if _has(before, rule, members) else Effect.BREAKS
        yield effect, f"must have {rule} {', '.join(members)}"
    for rule, members in sorted(before.groups - after.groups):
        yield Effect.ADDS, f"need no longer have {rule} {', '.join(members)}"
    if after.has_unique_items and not before.has_unique_items:
        yield Effect.BREAKS, "must have unique items"
    if after.is_closed and not before.is_closed:
        yield Effect.BREAKS, "can no longer have other members"
    if before.is_closed and not after.is_closed:
        yield Effect.ADDS, "can have other members"
    if before.default is not None and before.default != after.default:
        yield Effect.BREAKS, f"has the default {after.default} instead of {before.default}"
    if before.default is None and after.default is not None:
        yield Effect.CHANGES, f"has the default {after.default}"


def _has(shape: Shape, rule: str, members: Iterable[str]) -> bool:
    """Return True if every value that a client sends already has exactly, or at least, one of the members."""
    names = set(members)
    known = names & shape.members.keys()
    groups = [set(group) for name, group in shape.groups if name == rule] + [{name} for name in shape.required]
    if rule == AT_LEAST_ONE:
        return any(group <= names for group in groups)
    return shape.is_closed and known in groups
