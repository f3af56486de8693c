"""docs/responses.md: the page is up to date, and every reason is one of a declared response."""

from tests.contract import produced, response_matrix
from tests.contract.test_operation_matrix import collected_in
from tests.support.produced import Produced

PAGE = response_matrix.PAGE.read_text()


def test_the_page_is_up_to_date() -> None:
    assert response_matrix.update(PAGE) == PAGE, "docs/responses.md is out of date. Run: make docs"


def test_the_page_has_every_status_of_the_document() -> None:
    assert response_matrix.TESTS.keys() == {response.status for response in produced.declared()}


def test_the_named_tests_exist() -> None:
    named = {test for tests in response_matrix.TESTS.values() for test in tests}

    found = {node.partition("[")[0] for node in collected_in({test.partition("::")[0] for test in named})}
    assert named <= found


def test_a_reason_belongs_to_a_declared_response() -> None:
    assert produced.REASONS.keys() <= set(produced.declared())


def test_a_declared_response_that_no_test_produces_is_found() -> None:
    declared = set(produced.declared())
    one = Produced("createOrder", "422", "insufficient_stock")

    assert one in declared
    assert produced.missing(declared) == []
    assert produced.missing(declared - {one}) == [one]
