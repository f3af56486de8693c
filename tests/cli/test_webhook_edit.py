"""`distribu webhook create`, `update` and `delete`."""

import re

import pytest

from app.services.webhooks import MAX_WEBHOOKS
from tests.cli.conftest import Command, entries, listed
from tests.support.factories import Tenant

URL = "https://example.com/hook"


def create(distribu: Command, slug: str, *options: str) -> str:
    """Create a webhook and return its id."""
    arguments = ("--company", slug, "--url", URL, "--event", "order.created", "--json", *options)
    return str(distribu("webhook", "create", *arguments).json["id"])


class TestCreate:
    def test_prints_the_secret_once(self, distribu: Command, shop: Tenant) -> None:
        arguments = ("webhook", "create", "--company", shop.slug, "--url", URL, "--event", "*")
        plain = distribu(*arguments)
        made = distribu(*arguments, "--json").json

        assert re.fullmatch(r"whsec_[A-Za-z0-9]{32}\n", plain.out)
        assert "only time the secret is shown" in plain.err
        assert made["secret"].startswith("whsec_")
        assert "whsec_" not in distribu("webhook", "list", "--company", shop.slug, "--json").out
        created = entries(distribu, shop.slug)[0]
        assert (created["action"], created["actorType"]) == ("webhook.created", "USER")

    def test_stores_wildcards_and_the_description(self, distribu: Command, shop: Tenant) -> None:
        options = ["--event", "order.*", "--event", "order.created", "--event", "order.*"]
        distribu(
            *("webhook", "create", "--company", shop.slug, "--url", URL, "--inactive", "--description", " ERP "),
            *options,
        )

        (webhook,) = listed(distribu, "webhook", shop.slug)

        assert webhook["events"] == ["order.*", "order.created"]
        assert (webhook["description"], webhook["isActive"]) == ("ERP", False)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ([], "Give --url and at least one --event."),
            (["--url", URL], "Give --url and at least one --event."),
            (["--event", "*"], "Give --url and at least one --event."),
            (["--url", "https://" + "x" * 2041, "--event", "*"], "must be at most 2048 characters."),
            (["--url", URL, "--event", "*", "--description", "x" * 256], "must be at most 255 characters."),
            (["--url", URL, "--event", "webhook.test"], "'webhook.test' is not one of 'order.created',"),
            (["--url", URL, "--event", "orders.*"], "'orders.*' is not one of 'order.created',"),
        ],
    )
    def test_invalid_options_are_rejected(
        self, distribu: Command, shop: Tenant, options: list[str], message: str
    ) -> None:
        outcome = distribu("webhook", "create", "--company", shop.slug, *options)

        assert (outcome.code, message in outcome.error) == (2, True)
        assert listed(distribu, "webhook", shop.slug) == []

    def test_values_at_the_limits_are_accepted(self, distribu: Command, shop: Tenant) -> None:
        url = f"https://example.com/{'x' * 2028}"
        options = ("--url", url, "--event", "*", "--description", "x" * 255)
        assert distribu("webhook", "create", "--company", shop.slug, *options).code == 0

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("http://127.0.0.1/", "127.0.0.1, which is not public and not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS."),
            ("http://example.com:81/", "url is not allowed: port 81 is not in DISTRIBU_WEBHOOK_ALLOWED_PORTS."),
            ("ftp://example.com/", "url must begin with https:// or http://"),
        ],
    )
    def test_a_url_that_is_not_allowed_names_the_setting(
        self, distribu: Command, shop: Tenant, url: str, message: str
    ) -> None:
        outcome = distribu("webhook", "create", "--company", shop.slug, "--url", url, "--event", "*")

        assert (outcome.code, message in outcome.error) == (1, True)

    def test_the_settings_allow_other_destinations(self, distribu: Command, shop: Tenant) -> None:
        options = ("--company", shop.slug, "--url", "http://127.0.0.1:8701/", "--event", "*")
        settings = {"webhook_allowed_networks": "127.0.0.0/8", "webhook_allowed_ports": "8700-8799"}

        assert distribu("webhook", "create", *options, **settings).code == 0

    def test_an_eleventh_webhook_is_refused(self, distribu: Command, shop: Tenant) -> None:
        for _ in range(MAX_WEBHOOKS):
            create(distribu, shop.slug)

        outcome = distribu("webhook", "create", "--company", shop.slug, "--url", URL, "--event", "*")

        assert outcome.error == "Webhook limit reached. A company can have at most 10."


class TestUpdate:
    def test_changes_the_given_values(self, distribu: Command, shop: Tenant) -> None:
        webhook = create(distribu, shop.slug, "--description", "ERP")

        def update(*options: str) -> dict[str, object]:
            changed: dict[str, object] = distribu(
                "webhook", "update", webhook, "--company", shop.slug, "--json", *options
            ).json
            return changed

        assert update("--inactive")["isActive"] is False
        changed = update("--event", "*", "--active", "--url", f"{URL}/2")
        assert (changed["events"], changed["isActive"], changed["url"]) == (["*"], True, f"{URL}/2")
        assert changed["description"] == "ERP"
        assert update("--description", "")["description"] is None
        assert "secret" not in changed

    def test_without_an_option_there_is_nothing_to_change(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("webhook", "update", create(distribu, shop.slug), "--company", shop.slug)

        assert (outcome.code, outcome.error.startswith("Nothing to change: give --url")) == (2, True)

    def test_a_url_that_is_not_allowed_names_the_setting(self, distribu: Command, shop: Tenant) -> None:
        webhook = create(distribu, shop.slug)

        outcome = distribu("webhook", "update", webhook, "--company", shop.slug, "--url", "http://10.0.0.1/")

        assert "not in DISTRIBU_WEBHOOK_ALLOWED_NETWORKS" in outcome.error

    def test_an_unknown_id_is_not_found(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("webhook", "update", "none", "--company", shop.slug, "--active")

        assert outcome.error == "Webhook not found."


class TestDelete:
    def test_a_deleted_webhook_is_not_listed(self, distribu: Command, shop: Tenant) -> None:
        webhook = create(distribu, shop.slug)

        outcome = distribu("webhook", "delete", webhook, "--company", shop.slug, "--json")

        assert outcome.json == {"id": webhook, "deleted": True}
        assert listed(distribu, "webhook", shop.slug) == []
        assert distribu("webhook", "delete", webhook, "--company", shop.slug).error == "Webhook not found."
