// Reads responses with every list of values through a client by openapi-generator.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"example.com/orders/distribu"
)

func main() {
	configuration := distribu.NewConfiguration()
	configuration.Servers = distribu.ServerConfigurations{{URL: os.Getenv("DISTRIBU_URL") + "/api/v1"}}
	configuration.AddDefaultHeader("Authorization", "Bearer "+os.Getenv("DISTRIBU_API_KEY"))
	api, ctx := distribu.NewAPIClient(configuration), context.Background()

	webhooks, _, err := api.WebhooksAPI.ListWebhooks(ctx).Execute()
	check(nil, nil, err)
	check(api.WebhooksAPI.ListWebhookDeliveries(ctx, webhooks.Data[0].Id).Execute())
	product := distribu.NewBulkProduct()
	product.SetSku("FLR-SW-16")
	product.SetPrice(24.9)
	products := *distribu.NewBulkProductsUpsert([]distribu.BulkProduct{*product})
	check(api.BulkAPI.UpsertProducts(ctx).BulkProductsUpsert(products).IdempotencyKey(fmt.Sprint("go-", time.Now().UnixNano())).Execute())
	check(api.APIKeysAPI.GetMe(ctx).Execute())
	check(api.APIKeysAPI.ListApiKeys(ctx).Execute())
	check(api.AuditLogAPI.GetAuditSeal(ctx).Execute())
	check(api.AuditLogAPI.ListAuditEntries(ctx).Execute())
	check(api.CustomersAPI.ListCustomers(ctx).Execute())
	check(api.EventsAPI.ListEvents(ctx).Execute())
	check(api.InventoryAPI.ListInventoryMovements(ctx).Execute())
	check(api.OrdersAPI.ListOrders(ctx).Execute())
	check(api.ProductsAPI.ListProducts(ctx).Execute())
	check(api.RefundsAPI.ListCreditNotes(ctx).Execute())
	check(api.ReportsAPI.GetCustomersReport(ctx).Execute())
	check(api.ReportsAPI.GetInventoryReport(ctx).Execute())
	check(api.ReportsAPI.GetSalesReport(ctx).Execute())
	check(api.ReturnsAPI.ListReturns(ctx).Execute())
}

func check(_ any, _ any, err error) {
	if err != nil {
		log.Fatal(err)
	}
}
