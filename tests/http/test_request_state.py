"""The headers of a request, as the middlewares read them."""

from app.http.request_state import RequestHeaders

REPEATED = RequestHeaders([(b"accept", b"text/html"), (b"host", b"a"), (b"accept", b"application/json")])
SINGLE = RequestHeaders([(b"accept", b"text/html"), (b"host", b"")])


def test_every_line_of_a_header_is_returned_in_order() -> None:
    assert REPEATED.all(b"accept") == [b"text/html", b"application/json"]
    assert SINGLE.all(b"accept") == [b"text/html"]
    assert SINGLE.all(b"host") == [b""]
    assert SINGLE.all(b"expect") == []


def test_the_first_line_of_a_header_is_its_value() -> None:
    assert REPEATED.first(b"accept") == b"text/html"
    assert SINGLE.first(b"host") == b""
    assert SINGLE.first(b"expect") is None


def test_a_repeated_header_is_noticed() -> None:
    assert (REPEATED.has_repeated, SINGLE.has_repeated) == (True, False)
    assert set(REPEATED.names) == {b"accept", b"host"}
