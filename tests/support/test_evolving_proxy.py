"""The proxy changes responses as later versions may, and nothing else."""

from collections.abc import Iterator

import pytest

from tests.support import local_http
from tests.support.client import Client
from tests.support.evolving_proxy import FIELD, HEADER, SUFFIX, EvolvingProxy, evolving
from tests.support.factories import Tenant
from tests.support.servers import Server


@pytest.fixture
def proxy(server: Server) -> Iterator[tuple[str, EvolvingProxy]]:
    with evolving(server.url) as found:
        yield found


def test_a_response_has_new_fields_values_and_headers(
    proxy: tuple[str, EvolvingProxy], client: Client, tenant: Tenant
) -> None:
    url, evolved = proxy
    customer = client.post("/customers", json={"email": "a@example.com"}).json()["data"]
    headers = {"Authorization": f"Bearer {tenant.key}"}

    response = local_http.get(f"{url}/api/v1/customers?email=a%40example.com", headers=headers)

    assert response.headers[HEADER]
    assert response.json()[FIELD]
    assert response.json()["pagination"][FIELD]
    (found,) = response.json()["data"]
    assert found.pop(FIELD)
    assert found == {**customer, "status": "ACTIVE" + SUFFIX}
    assert (evolved.fields, evolved.lists) == (3, {("ACTIVE", "BLOCKED")})


def test_a_request_arrives_as_it_was_sent(proxy: tuple[str, EvolvingProxy], client: Client, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.key}"}
    body = {"email": "a@example.com", "name": "Ann"}

    response = local_http.post(f"{proxy[0]}/api/v1/customers", json=body, headers=headers)

    assert response.status_code == 201
    assert client.get(response.headers["Location"].removeprefix("/api/v1")).json()["data"]["name"] == "Ann"
