import distribu.ApiClient;
import distribu.api.ApiKeysApi;
import distribu.api.AuditLogApi;
import distribu.api.BulkApi;
import distribu.api.CustomersApi;
import distribu.api.EventsApi;
import distribu.api.InventoryApi;
import distribu.api.OrdersApi;
import distribu.api.ProductsApi;
import distribu.api.RefundsApi;
import distribu.api.ReportsApi;
import distribu.api.ReturnsApi;
import distribu.api.WebhooksApi;
import distribu.model.BulkProduct;
import distribu.model.BulkProductsUpsert;
import java.util.List;
import java.util.UUID;

/** Reads responses with every list of values through a client by openapi-generator. */
public final class Reader {
    public static void main(String[] arguments) throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(System.getenv("DISTRIBU_URL") + "/api/v1");
        String key = "Bearer " + System.getenv("DISTRIBU_API_KEY");
        client.setRequestInterceptor(request -> request.header("Authorization", key));

        WebhooksApi webhooks = new WebhooksApi(client);
        String id = webhooks.listWebhooks().getData().get(0).getId();
        webhooks.listWebhookDeliveries(WebhooksApi.APIListWebhookDeliveriesRequest.newBuilder().webhookId(id).build());
        BulkProduct product = new BulkProduct().sku("FLR-SW-16").price(24.9);
        BulkProductsUpsert products = new BulkProductsUpsert().items(List.of(product));
        new BulkApi(client).upsertProducts(UUID.randomUUID().toString(), products);
        ApiKeysApi keys = new ApiKeysApi(client);
        keys.getMe();
        keys.listApiKeys(ApiKeysApi.APIListApiKeysRequest.newBuilder().build());
        AuditLogApi auditLog = new AuditLogApi(client);
        auditLog.getAuditSeal();
        auditLog.listAuditEntries(AuditLogApi.APIListAuditEntriesRequest.newBuilder().build());
        new CustomersApi(client).listCustomers(CustomersApi.APIListCustomersRequest.newBuilder().build());
        new EventsApi(client).listEvents(EventsApi.APIListEventsRequest.newBuilder().build());
        new InventoryApi(client)
            .listInventoryMovements(InventoryApi.APIListInventoryMovementsRequest.newBuilder().build());
        new OrdersApi(client).listOrders(OrdersApi.APIListOrdersRequest.newBuilder().build());
        new ProductsApi(client).listProducts(ProductsApi.APIListProductsRequest.newBuilder().build());
        new RefundsApi(client).listCreditNotes(RefundsApi.APIListCreditNotesRequest.newBuilder().build());
        ReportsApi reports = new ReportsApi(client);
        reports.getCustomersReport(ReportsApi.APIGetCustomersReportRequest.newBuilder().build());
        reports.getInventoryReport(ReportsApi.APIGetInventoryReportRequest.newBuilder().build());
        reports.getSalesReport(ReportsApi.APIGetSalesReportRequest.newBuilder().build());
        new ReturnsApi(client).listReturns(ReturnsApi.APIListReturnsRequest.newBuilder().build());
    }
}
