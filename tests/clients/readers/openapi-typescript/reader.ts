// Reads responses with every list of values through a client by openapi-typescript and openapi-fetch.
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { paths } from "./distribu.js";

const api = createClient<paths>({
  baseUrl: `${process.env.DISTRIBU_URL}/api/v1`,
  headers: { Authorization: `Bearer ${process.env.DISTRIBU_API_KEY}` },
});

const webhooks = await api.GET("/webhooks");
const path = { webhookId: webhooks.data!.data[0]!.id };
const header = { "Idempotency-Key": randomUUID() };
const results = [
  webhooks,
  await api.GET("/webhooks/{webhookId}/deliveries", { params: { path } }),
  await api.POST("/bulk/products", { params: { header }, body: { items: [{ sku: "FLR-SW-16", price: 24.9 }] } }),
  await api.GET("/me"),
  await api.GET("/api-keys"),
  await api.GET("/audit-seal"),
  await api.GET("/audit-log"),
  await api.GET("/customers"),
  await api.GET("/events"),
  await api.GET("/inventory-movements"),
  await api.GET("/orders"),
  await api.GET("/products"),
  await api.GET("/credit-notes"),
  await api.GET("/reports/customers"),
  await api.GET("/reports/inventory"),
  await api.GET("/reports/sales"),
  await api.GET("/returns"),
];
for (const { error } of results) if (error) throw new Error(error.error);
