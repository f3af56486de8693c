"""`distribu webhook listen`: receive the events of a company on this machine, for development (contract, section 9.5).

1. A listener starts on a port of this machine that webhooks may use (`app/cli/local_receiver.py`).
2. The temporary webhooks of earlier runs that were killed are deleted. They are recognized by their description and by
   their URL, at which no listener confirms that it is theirs.
3. A temporary webhook is created, and a test event is queued for it. When it arrives, the worker can reach this
   command.
4. Each event is verified, forwarded and printed, until a signal arrives.
5. The temporary webhook is deleted.

Signals end the loop and raise nothing, so the webhook is deleted whatever happens.
"""

import contextlib
import signal
import socket
from collections.abc import Iterator, Sequence
from itertools import chain
from queue import Empty, SimpleQueue
from urllib.parse import SplitResult, urlsplit

import click

from app.cli import local_receiver, options, output, runtime
from app.cli.local_receiver import HOST, Item, LocalReceiver, Received
from app.cli.webhook_edit import events as events_option
from app.context import Transactions
from app.egress import EgressPolicy
from app.errors import DatabaseUnavailableError, NotFoundError, StartError
from app.schemas.base import Json
from app.schemas.webhooks import WebhookCreate
from app.services import deliveries, events, webhooks
from app.services.subscriptions import EVERY_TYPE

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READY_SECONDS = 10.0  # a running worker sends the test event in less than a second
FIRST_PORT = 1024  # lower ones are for the administrator
PREFERRED_PORTS = range(8700, 8800)  # assigned to no widely used program
GONE = 410

NOT_ALLOWED = "Webhooks may not be sent to this machine. Set {} for the server, the worker and this command."
NO_WORKER = "The test event has not been sent yet. Is 'distribu serve' or 'distribu worker' running on this database?"
NOT_REACHED = "The worker could not send the test event here. It must run on this machine, with the same settings. {}"
DISABLED = "The receiver responded with 410, which disables a webhook. Listening has ended."


class _ForwardUrl(click.ParamType[SplitResult]):
    name = "url"

    def convert(
        self, value: str | SplitResult, param: click.Parameter | None, ctx: click.Context | None
    ) -> SplitResult:
        """Read an http or https URL."""
        if isinstance(value, SplitResult):
            return value
        try:
            parts = urlsplit(options.TEXT.convert(value, param, ctx))
            is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_url = False
        if not is_url or not value.isascii() or "@" in parts.netloc or " " in value:
            self.fail(f"'{value}' is not a URL like http://localhost:3000/webhooks.", param, ctx)
        return parts


@click.command()
@options.company
@click.option(
    "--forward-to",
    metavar="URL",
    type=_ForwardUrl(),
    help="The URL of your program, to which body and headers are sent unchanged. Without it, events are only printed.",
)
@events_option
@click.option("--json", "as_json", is_flag=True, help="Print each event as a JSON object in one line.")
def listen(slug: str, forward_to: SplitResult | None, events: Sequence[str], as_json: bool) -> None:
    """Receive the events of a company on this machine, and print them.

    For the development of receivers. The command creates a temporary webhook for all events, or for those of --event,
    and deletes it when it ends: with Ctrl-C, or with SIGTERM. A worker must be running. What your program responds is
    recorded and retried as in production. Each run has a new signing secret, which it prints to standard error.
    'distribu webhook trigger' sends sample events.
    """
    ports = allowed_ports(runtime.settings().egress_policy)
    with (
        runtime.company_transactions(slug) as transactions,
        _listener(ports, forward_to) as listener,
        _signals(listener.queue),
    ):
        delete_leftovers(transactions)
        with _temporary_webhook(transactions, listener, list(dict.fromkeys(events)) or [EVERY_TYPE]) as delivery:
            output.note(f"Listening at {listener.url} with the webhook {delivery['webhookId']}. Press Ctrl-C to end.")
            output.note(f"The signing secret of this run is {listener.secret}")
            _print_until_end(transactions, listener, delivery, as_json=as_json)


def allowed_ports(policy: EgressPolicy) -> list[int]:
    """Return the ports of this machine to which webhooks may be sent. Raises StartError that says what to set."""
    allowed = {port for port in chain.from_iterable(policy.ports) if port >= FIRST_PORT}
    ports = sorted(allowed, key=lambda port: (port not in PREFERRED_PORTS, port))
    missing = []
    if not policy.allows(local_receiver.ADDRESS):
        networks = [*(str(network) for network in policy.networks), "127.0.0.0/8"]
        missing.append(f"DISTRIBU_WEBHOOK_ALLOWED_NETWORKS={','.join(networks)}")
    if not ports:
        ranges = [_range_text(given) for given in (*policy.ports, PREFERRED_PORTS)]
        missing.append(f"DISTRIBU_WEBHOOK_ALLOWED_PORTS={','.join(ranges)}")
    if missing:
        raise StartError(NOT_ALLOWED.format(" and ".join(missing)))
    return ports


def delete_leftovers(transactions: Transactions) -> None:
    """Delete the temporary webhooks of runs on this machine that were killed."""
    with transactions() as ctx:
        found = [webhook for webhook in webhooks.list_all(ctx) if webhook.description == description()]
    for webhook in found:
        if webhook.url.startswith(f"http://{HOST}:") and not local_receiver.is_alive(webhook.url):
            _delete(transactions, webhook.id)
            output.note(f"Deleted the temporary webhook {webhook.id} of a run that was killed.")


def description() -> str:
    """Return the description by which a later run on this machine recognizes a temporary webhook."""
    return f"Temporary webhook of 'distribu webhook listen' on {socket.gethostname()}"[:255]


def _range_text(ports: range) -> str:
    return str(ports[0]) if len(ports) == 1 else f"{ports[0]}-{ports[-1]}"


def _listener(ports: Sequence[int], forward_to: SplitResult | None) -> LocalReceiver:
    """Listen on the first port that is free. Raises StartError."""
    for port in ports:
        with contextlib.suppress(OSError):
            return LocalReceiver(port, forward_to)
    raise StartError("Every port in DISTRIBU_WEBHOOK_ALLOWED_PORTS is in use on this machine. Allow more ports.")


@contextlib.contextmanager
def _signals(queue: SimpleQueue[Item]) -> Iterator[None]:
    """Let the signals that end the command put None into the queue, during the block."""
    previous = {number: signal.signal(number, lambda *_: queue.put(None)) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _temporary_webhook(
    transactions: Transactions, listener: LocalReceiver, subscriptions: Sequence[str]
) -> Iterator[Json]:
    """Create the webhook of a listener, and delete it at the end of the block. Yield the delivery of its test event."""
    with transactions(write=True) as ctx:
        draft = WebhookCreate(url=listener.url, events=subscriptions, description=description())
        webhook = webhooks.create(ctx, draft)
        delivery = events.test(ctx, webhook.id)
        listener.secret, listener.probe_id = webhook.secret, delivery.event_id  # before a worker can see the webhook
    try:
        yield {"id": delivery.id, "webhookId": webhook.id, "eventId": delivery.event_id}
    finally:
        _delete(transactions, webhook.id)


def _delete(transactions: Transactions, webhook_id: str) -> None:
    """Delete a temporary webhook, which may be deleted already."""
    try:
        with contextlib.suppress(NotFoundError), transactions(write=True) as ctx:
            webhooks.delete(ctx, webhook_id)
    except DatabaseUnavailableError as error:
        output.warning(f"The temporary webhook {webhook_id} was not deleted. The next run deletes it. {error}")


def _print_until_end(transactions: Transactions, listener: LocalReceiver, delivery: Json, *, as_json: bool) -> None:
    """Print what arrives until a signal. Raises ClickException if the receiver disables the webhook."""
    timeout: float | None = READY_SECONDS
    while True:
        try:
            item = listener.queue.get(timeout=timeout)
        except Empty:
            output.warning(_reason(transactions, delivery))
            timeout = None
            continue
        if item is None:
            return
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, str):
            output.warning(item)
        elif item.event["id"] == delivery["eventId"]:
            output.note("Ready: the worker has reached this command.")
            timeout = None
        else:
            _print(item, as_json=as_json)


def _print(item: Received, *, as_json: bool) -> None:
    """Print a delivery. Raises ClickException if the receiver has disabled the webhook."""
    if as_json:
        output.line(_document(item))
    else:
        output.text(_text(item))
    if item.status == GONE:
        raise click.ClickException(DISABLED)


def _document(item: Received) -> Json:
    forwarded = item.forwarded
    return {
        "receivedAt": item.at,
        "event": item.event["event"],
        "eventId": item.event["id"],
        "statusCode": item.status,
        "durationMs": forwarded and forwarded.duration_ms,
        "error": forwarded and forwarded.error,
        "payload": item.event,
    }


def _text(item: Received) -> str:
    """Return the line of a delivery: when, what, and what the program returned."""
    event, forwarded = item.event, item.forwarded
    parts = [item.at, f"{event['event']:<22}", event["id"]]
    if event.get("test"):
        parts.append("test")
    if forwarded is not None:
        parts.append(forwarded.error or f"{forwarded.status} in {forwarded.duration_ms} ms")
    return output.cell("  ".join(parts))


def _reason(transactions: Transactions, delivery: Json) -> str:
    """Return why the test event has not arrived."""
    with transactions() as ctx:
        row = deliveries.get(ctx, delivery["webhookId"], delivery["id"])
    return NO_WORKER if row.success is None else NOT_REACHED.format(row.response_body)
