// Reads responses with every list of values through a client by @hey-api/openapi-ts.
import { randomUUID } from "node:crypto";
import { client } from "./distribu/client.gen.js";
import * as api from "./distribu/index.js";

client.setConfig({ baseUrl: `${process.env.DISTRIBU_URL}/api/v1`, auth: process.env.DISTRIBU_API_KEY });

const webhooks = await api.listWebhooks();
const path = { webhookId: webhooks.data!.data[0]!.id };
const headers = { "Idempotency-Key": randomUUID() };
const results = [
  webhooks,
  await api.listWebhookDeliveries({ path }),
  await api.upsertProducts({ headers, body: { items: [{ sku: "FLR-SW-16", price: 24.9 }] } }),
  await api.getMe(),
  await api.listApiKeys(),
  await api.getAuditSeal(),
  await api.listAuditEntries(),
  await api.listCustomers(),
  await api.listEvents(),
  await api.listInventoryMovements(),
  await api.listOrders(),
  await api.listProducts(),
  await api.listCreditNotes(),
  await api.getCustomersReport(),
  await api.getInventoryReport(),
  await api.getSalesReport(),
  await api.listReturns(),
];
for (const { error } of results) if (error) throw new Error(error.error);
