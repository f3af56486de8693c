// Uses a client that @hey-api/openapi-ts made from the OpenAPI document of Distribu.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { client } from "./distribu/client.gen.js";
import { createOrder, createWebhook, deleteWebhook, listProducts, updateCustomer } from "./distribu/index.js";
import type { OrderCreate, OrderCreatedEvent, OrderStatus, Product, ProductPage } from "./distribu/index.js";

// Ids of the demo company.
const customerId = "cmdw8k1ze0002qj7h6r4t9v3b";
const productId = "cmdx3p9f20007qj7h1c8m4t5w";

client.setConfig({
  baseUrl: `${process.env.DISTRIBU_URL}/api/v1`,
  auth: process.env.DISTRIBU_API_KEY,
});

/** Places an order, and receives it as an event. */
async function receiveOrder() {
  const receiver = await receive();
  const { data: webhook } = await createWebhook({ body: { url: receiver.url, events: ["order.created"] }, throwOnError: true });

  const order = await placeOrder();
  console.log("order:", order.id);
  console.log("next step:", nextStep(order.status));

  const secret = webhook.data.secret!;
  const { headers, body } = await receiver.delivery;
  if (!isGenuine(secret, headers, body)) throw new Error("the signature of the delivery is not valid");
  const created: OrderCreatedEvent = JSON.parse(body.toString());
  console.log("received order:", created.data.id);
  console.log("changed delivery is genuine:", isGenuine(secret, headers, Buffer.concat([body, Buffer.from(" ")])));

  await deleteWebhook({ path: { webhookId: webhook.data.id }, throwOnError: true });
}

/** Places an order with an idempotency key: if the response is lost, the same request can be sent again. */
async function placeOrder() {
  const headers = { "Idempotency-Key": randomUUID() };
  const { data: order } = await createOrder({ headers, body: newOrder(1), throwOnError: true });
  return order.data;
}

function newOrder(quantity: number): OrderCreate {
  return { customerId, items: [{ productId, quantity }] };
}

/** Handles a status that a later version of the API adds: the status of an order is a string. */
function nextStep(status: string): string {
  switch (status as OrderStatus) {
    case "SUBMITTED":
      return "confirm";
    case "CONFIRMED":
      return "ship";
    case "SHIPPED":
    case "DELIVERED":
    case "CANCELLED":
      return "none";
    default:
      return `unknown, the status is ${status}`;
  }
}

/** Yields the products of all pages. */
async function* products(): AsyncGenerator<Product> {
  let cursor: string | undefined;
  do {
    const { data: page }: { data: ProductPage } = await listProducts({ query: { limit: 20, cursor }, throwOnError: true });
    yield* page.data;
    cursor = page.pagination.nextCursor ?? undefined;
  } while (cursor);
}

/** Reads the errors of an order that is refused. */
async function orderTooMuch() {
  const { error, response } = await createOrder({ body: newOrder(100_000) });
  if (!error) throw new Error("the order was not refused");
  console.log("refused:", response?.status, error.code);
  for (const detail of error.details ?? []) {
    console.log("error:", detail.code, detail.pointer, detail.available);
  }
}

/** Sends null for the credit limit. All other fields are absent, and remain as they are. */
async function clearCreditLimit() {
  const body = { creditLimit: null };
  const { data: customer } = await updateCustomer({ path: { customerId }, body, throwOnError: true });
  console.log("has a credit limit:", customer.data.creditLimit !== null);
  console.log("notes:", customer.data.notes);
}

/** Returns true if Distribu sent a delivery, also during the rotation of a secret. */
function isGenuine(secret: string, headers: IncomingHttpHeaders, body: Buffer): boolean {
  const expected = createHmac("sha256", secret).update(body).digest();
  return ["x-webhook-signature", "x-webhook-signature-previous"].some((name) => {
    const given = Buffer.from(String(headers[name] ?? ""), "hex");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** Accepts one delivery on a free port of this machine. */
async function receive() {
  const server = createServer();
  const delivery = new Promise<{ headers: IncomingHttpHeaders; body: Buffer }>((resolve) => {
    server.on("request", async (request, response) => {
      const body = Buffer.concat(await request.toArray());
      response.end();
      server.close();
      resolve({ headers: request.headers, body });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, delivery };
}

await receiveOrder();
let count = 0;
for await (const _ of products()) count++;
console.log("products:", count);
await orderTooMuch();
await clearCreditLimit();
