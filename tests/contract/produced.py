"""Comparison of the responses of the document with those that tests have produced: `make test` ends with it.

The tests' client refuses every response that the document does not declare (tests/support/client.py). This is the other
direction: every status of an operation, and every error code of a status, is produced by a test or has its reason here.
"""

import sys
from collections.abc import Iterable, Iterator

from app import spec
from tests.support.produced import Produced, read
from tests.support.requests import DOCUMENT, OPERATIONS

READS_NO_DATABASE = "it reads no database, and has no known bug"
# The responses that no test can produce.
REASONS = {
    Produced(operation, "500", "internal_error"): READS_NO_DATABASE
    for operation in ("getIndex", "getOpenapiJson", "getOpenapi31Json", "getOpenapiYaml")
}


def declared() -> Iterator[Produced]:
    """Yield every response of the document, with each of its codes."""
    for operation in OPERATIONS.values():
        for status, response in operation.definition["responses"].items():
            codes = spec.resolve(DOCUMENT, response).get("x-error-codes") or [""]
            yield from (Produced(operation.id, status, code) for code in codes)


def missing(produced: Iterable[Produced]) -> list[Produced]:
    """Return the responses that are declared, were not produced, and have no reason."""
    return sorted(set(declared()) - set(produced) - REASONS.keys())


def main() -> None:
    """Report how many responses were produced. Exit 1 with a list of those that were not, or need no reason."""
    produced, responses = set(read()), set(declared())
    lines = [f"No test produces {' '.join(response).rstrip()}" for response in missing(produced)]
    lines += [f"A test produces {' '.join(response)}: remove its reason" for response in produced & REASONS.keys()]
    summary = f"{len(responses & produced)} of {len(responses)} declared responses were produced by tests."
    if lines:
        sys.exit("\n".join([*lines, summary]))
    sys.stdout.write(f"{summary}\n")


if __name__ == "__main__":
    main()
