"""A difference between two documents, and where it is."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

RESPONSE = re.compile(r"response [0-9]+")


class Effect(StrEnum):
    """What a difference does to clients that were written for the old document."""

    BREAKS = "breaks"  # removed, narrowed or made compulsory
    ADDS = "adds"
    CHANGES = "changes"  # neither: for example, a narrower limit of a response


class Direction(StrEnum):
    """Who sends a value. A narrower rule breaks clients that send, and a missing member those that receive."""

    SENT = "sent"
    RECEIVED = "received"


class Difference(NamedTuple):
    """A difference of two schemas: the path of the member, such as `data[].status`, and what is different."""

    member: str
    effect: Effect
    text: str

    def below(self, path: str) -> "Difference":
        """Return the difference as that of the schema that contains this one at `path`."""
        separator = "" if not self.member or self.member.startswith("[") else "."
        return self._replace(member=f"{path}{separator}{self.member}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A difference of two documents: at an operation, in a part such as "response 200", at a member of the body."""

    operation: str
    part: str
    member: str
    effect: Effect
    text: str

    @property
    def sentence(self) -> str:
        """The change, without the operation."""
        subject = f"{self.member} of the {self.part}" if self.member else f"the {self.part}"
        return f"{subject} {self.text}" if self.part else self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The same change at several operations, or in several responses of them."""

    operations: list[str]
    parts: list[str]
    change: Change

    @property
    def operation(self) -> str:
        """The first operation, and how many others there are."""
        return _first(self.operations)

    @property
    def part(self) -> str:
        """The first part, and how many others there are."""
        return _first(self.parts)

    @property
    def line(self) -> str:
        """The change as a line of a changelog in Markdown."""
        names = _listed([f"`{name}`" for name in self.operations], "operation")
        if not self.change.part:
            return f"- {names} {self.change.text}."
        parts = _listed(self.parts, "response")
        subject = f"`{self.change.member}` of the {parts}" if self.change.member else f"the {parts}"
        return f"- {names}: {subject} {self.change.text}."


def breaking(changes: Iterable[Change]) -> list[Change]:
    """Return the changes that break clients."""
    return [change for change in changes if change.effect is Effect.BREAKS]


def grouped(changes: Iterable[Change]) -> list[Group]:
    """Return equal changes together, those that break clients first, and then in the order of the first of each."""
    groups: dict[tuple[str, ...], list[Change]] = {}
    for change in changes:
        kind = RESPONSE.sub("response", change.part)
        groups.setdefault((change.effect, kind, change.member, change.text), []).append(change)
    found = [
        Group(
            operations=list(dict.fromkeys(change.operation for change in group)),
            parts=list(dict.fromkeys(change.part for change in group)),
            change=group[0],
        )
        for group in groups.values()
    ]
    return sorted(found, key=lambda group: list(Effect).index(group.change.effect))


def changelog(changes: Iterable[Change]) -> Iterator[str]:
    """Yield a line in Markdown for each addition."""
    return (group.line for group in grouped(changes) if group.change.effect is Effect.ADDS)


def _first(names: list[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _listed(names: list[str], noun: str) -> str:
    """Return at most three names, and how many others there are."""
    shown, others = names[:3], len(names) - 3
    return ", ".join(shown) + (f" and {others} other {noun}{'s' * (others > 1)}" if others > 0 else "")
