"""What can go wrong in the domain and at the start, in words for the person who has to act.

Not here: status codes and JSON (`app/http/errors.py` turns these into answers).
"""

QUERY, BODY = "/query", ""  # what a pointer to a parameter begins with


class DomainError(Exception):
    """The request was understood and a rule of the domain refuses it. The message is for the caller."""

    code = "rule_violated"


class NotFoundError(DomainError):
    """The thing does not exist, or belongs to another company: callers cannot tell which."""

    code = "not_found"

    def __init__(self, noun: str) -> None:
        """Name what was looked for: 'Product' gives 'Product not found.'."""
        super().__init__(f"{noun} not found.")


class TooLargeError(DomainError):
    """A sum has more than the 64 bits that databases and JSON count with."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("The figures are too large to be added up.")


class InvalidParameterError(DomainError):
    """A parameter has the right form, but no meaning. `pointer` leads to it."""

    def __init__(self, parameter: str, message: str, *, parent: str = QUERY) -> None:
        """Take the whole message, and where the parameter stands: in the query or in the body."""
        super().__init__(message)
        self.pointer = f"{parent}/{parameter}"


class InvalidCursorError(InvalidParameterError):
    """A list was asked to go on after something that is not in it."""

    def __init__(self) -> None:
        """Use the contract's wording (section 3)."""
        super().__init__("cursor", "Invalid cursor.")


class InvalidTimeError(InvalidParameterError):
    """There is no such day, or no such time of a day."""

    def __init__(self, parameter: str, *, parent: str = QUERY) -> None:
        """Use the wording that the document has for a wrong form."""
        super().__init__(parameter, f"{parameter} must be a date or a time in ISO 8601", parent=parent)


class StartError(Exception):
    """The program cannot start. One line that names the cause and what to do next."""


class DatabaseUnavailableError(Exception):
    """The database is away, or busy past its deadline. Trying again later may work."""
