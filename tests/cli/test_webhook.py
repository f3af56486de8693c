"""`distribu webhook`."""

import os
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from app.db import Database
from app.schemas.webhooks import WebhookCreate
from app.services import webhooks
from tests.cli.conftest import Command, entries, environment
from tests.support import factories, waiting
from tests.support.factories import Tenant

URL = "https://example.com/hook"


@pytest.fixture
def webhook(fresh_database: Database, shop: Tenant) -> str:
    """Return a webhook of the company."""
    with fresh_database.transaction(write=True) as session:
        ctx = factories.context(session, shop.company_id)
        return str(webhooks.create(ctx, WebhookCreate(url=URL, events=["order.created"])).id)


class TestList:
    def test_secrets_are_not_printed(self, distribu: Command, shop: Tenant, webhook: str) -> None:
        asked = distribu("webhook", "list", "--company", shop.slug, "--json")
        table = distribu("webhook", "list", "--company", shop.slug)

        (only,) = asked.json
        assert (only["id"], only["url"], only["isActive"]) == (webhook, URL, True)
        assert webhook in table.out
        assert "whsec_" not in asked.out + table.out

    def test_an_empty_list_names_the_command_to_create_one(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("webhook", "list", "--company", shop.slug)

        assert outcome.out == ""
        assert f"distribu webhook create --company {shop.slug}" in outcome.err


class TestDeliveries:
    def test_a_test_event_is_queued_listed_and_redelivered(self, distribu: Command, shop: Tenant, webhook: str) -> None:
        queued = distribu("webhook", "test", webhook, "--company", shop.slug, "--json")
        again = distribu("webhook", "redeliver", webhook, queued.json["id"], "--company", shop.slug, "--json").json
        rows = distribu("webhook", "deliveries", webhook, "--company", shop.slug, "--json").json

        assert queued.json["outcome"] == "PENDING"
        assert f"distribu webhook deliveries {webhook} --company {shop.slug}" in queued.err
        assert [row["id"] for row in rows] == [again["id"], queued.json["id"]]
        assert {(row["event"], row["eventId"]) for row in rows} == {("webhook.test", queued.json["eventId"])}
        table = distribu("webhook", "deliveries", webhook, "--company", shop.slug)
        assert "PENDING" in table.out

    def test_failed_attempts_can_be_listed_alone(self, distribu: Command, shop: Tenant, webhook: str) -> None:
        distribu("webhook", "test", webhook, "--company", shop.slug)

        outcome = distribu("webhook", "deliveries", webhook, "--failed", "--company", shop.slug, "--json")

        assert outcome.json == []
        assert "No delivery failed." in outcome.err

    def test_an_unknown_id_is_not_found(self, distribu: Command, shop: Tenant, webhook: str) -> None:
        for arguments in (["test", "none"], ["deliveries", "none"], ["rotate", "none"], ["redeliver", "none", "none"]):
            assert distribu("webhook", *arguments, "--company", shop.slug).error == "Webhook not found."
        outcome = distribu("webhook", "redeliver", webhook, "none", "--company", shop.slug)
        assert outcome.error == "Delivery not found."

    def test_a_webhook_of_another_company_is_not_found(
        self, distribu: Command, fresh_database: Database, webhook: str
    ) -> None:
        other = factories.tenant(fresh_database)

        assert distribu("webhook", "test", webhook, "--company", other.slug).error == "Webhook not found."


class TestRotate:
    def test_prints_the_new_secret_once_and_is_audited(self, distribu: Command, shop: Tenant, webhook: str) -> None:
        rotated = distribu("webhook", "rotate", webhook, "--company", shop.slug, "--json").json
        plain = distribu("webhook", "rotate", webhook, "--company", shop.slug, "--grace-seconds", "0")

        assert rotated["secret"].startswith("whsec_")
        assert rotated["secretRotationGraceExpiresAt"] is not None
        assert re.fullmatch(r"whsec_[A-Za-z0-9]{32}\n", plain.out)
        assert "only time the secret is shown" in plain.err
        assert "whsec_" not in plain.err
        last, first, *_ = entries(distribu, shop.slug)
        assert (last["action"], last["actorType"]) == ("webhook.secret_rotated", "USER")
        assert (last["metadata"], first["metadata"]) == (
            {"after": {"graceSeconds": 0}},
            {"after": {"graceSeconds": 86_400}},
        )
        assert "whsec_" not in str([last, first])

    def test_the_secret_is_not_broken_on_a_narrow_terminal(self, database_url: str, shop: Tenant, webhook: str) -> None:
        terminal, stdout = os.openpty()
        termios.tcsetwinsize(stdout, (24, 20))
        rotate = [sys.executable, "-m", "app.cli", "webhook", "rotate", webhook, "--company", shop.slug]
        run = subprocess.run(rotate, stdout=stdout, env=environment(database_url), timeout=120, check=False)
        os.close(stdout)
        shown = os.read(terminal, 4096).decode()
        os.close(terminal)

        assert run.returncode == 0
        assert re.fullmatch(r"whsec_[A-Za-z0-9]{32}\r\n", shown)

    def test_a_rotation_beyond_three_earlier_secrets_is_rejected(
        self, distribu: Command, shop: Tenant, webhook: str
    ) -> None:
        for _ in range(3):
            assert distribu("webhook", "rotate", webhook, "--company", shop.slug).code == 0

        refused = distribu("webhook", "rotate", webhook, "--company", shop.slug)

        assert refused.out == ""
        assert refused.error.startswith("3 earlier secrets are still valid. Rotate after 20")
        assert distribu("webhook", "rotate", webhook, "--company", shop.slug, "--grace-seconds", "0").code == 0

    def test_a_grace_period_over_a_week_is_rejected(self, distribu: Command, shop: Tenant, webhook: str) -> None:
        outcome = distribu("webhook", "rotate", webhook, "--company", shop.slug, "--grace-seconds", "604801")

        assert "not between 0 and 604800" in outcome.error


class TestWorker:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_ends_on_a_signal(self, database_url: str, tmp_path: Path, number: signal.Signals) -> None:
        command = [sys.executable, "-m", "app.cli", "worker"]
        options = {"cwd": tmp_path, "env": environment(database_url), "stderr": subprocess.PIPE}
        with waiting.process(command, **options) as worker:
            assert worker.stderr is not None
            assert b"delivers webhooks" in worker.stderr.readline()
            worker.send_signal(number)
            _, rest = worker.communicate(timeout=waiting.SECONDS)

        assert (worker.returncode, rest) == (0, b"")

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("webhook_allowed_networks", "10.0.0.1/8"),
            ("webhook_allowed_ports", "http"),
            ("webhook_retry_schedule", "5,,300"),
            ("webhook_retry_schedule", "-5"),
            ("webhook_retry_schedule", "604801"),
        ],
    )
    def test_the_error_of_a_wrong_setting_names_it(self, distribu: Command, setting: str, value: str) -> None:
        outcome = distribu("worker", **{setting: value})

        assert f"DISTRIBU_{setting.upper()}" in outcome.error
        assert outcome.code == 2
