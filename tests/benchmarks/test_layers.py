"""A sample belongs to the innermost frame that is in a layer."""

import pytest

from benchmarks import layers

ASGI = "Server.run (uvicorn/server.py:86);run_asgi (uvicorn/protocols/http/httptools_impl.py:422)"


@pytest.mark.parametrize(
    ("stack", "layer"),
    [
        (ASGI, "HTTP server"),
        (f"{ASGI};handle (app/http/access.py:60)", "the edge"),
        (f"{ASGI};handle (app/http/access.py:60);__call__ (starlette/routing.py:683)", "framework"),
        ("run (threading.py:982);list_products (handlers/products.py:9);_row (app/schemas/base.py:80)", "rendering"),
        ("list_products (handlers/products.py:9);all (sqlalchemy/engine/result.py:1)", "SQLAlchemy, Django ORM"),
        ("all (sqlalchemy/engine/result.py:1);do_execute (sqlalchemy/engine/default.py:9)", "database driver"),
        ("list_products (handlers/products.py:9);dumps (json/__init__.py:231)", "handlers, services"),
        ("<module> (elsewhere.py:1)", "other"),
    ],
)
def test_a_sample_has_a_layer(stack: str, layer: str) -> None:
    assert layers.count([f"{stack} 3", f"{stack} 4"]) == {layer: 7}


def test_every_layer_has_a_row() -> None:
    assert {*layers.LAYERS.values(), layers.OTHER, layers.WITHOUT_LOCK} == set(layers.ORDER)
