import com.fasterxml.jackson.annotation.JsonInclude;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpServer;
import distribu.ApiClient;
import distribu.ApiException;
import distribu.api.CustomersApi;
import distribu.api.OrdersApi;
import distribu.api.OrdersApi.APICreateOrderRequest;
import distribu.api.ProductsApi;
import distribu.api.ProductsApi.APIListProductsRequest;
import distribu.api.WebhooksApi;
import distribu.model.Customer;
import distribu.model.CustomerUpdate;
import distribu.model.ErrorDetail;
import distribu.model.ErrorResponse;
import distribu.model.EventSubscription;
import distribu.model.EventType;
import distribu.model.OrderCreate;
import distribu.model.OrderCreatedEvent;
import distribu.model.OrderDetail;
import distribu.model.OrderItemCreate;
import distribu.model.OrderStatus;
import distribu.model.ProductPage;
import distribu.model.WebhookCreate;
import distribu.model.WebhookWithSecret;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Uses a client that openapi-generator made from the OpenAPI document of Distribu. */
public final class Main {
    // Ids of the demo company.
    private static final String CUSTOMER_ID = "cmdw8k1ze0002qj7h6r4t9v3b";
    private static final String PRODUCT_ID = "cmdx3p9f20007qj7h1c8m4t5w";

    private final ApiClient client = new ApiClient();

    private Main(String url, String key) {
        client.updateBaseUri(url + "/api/v1");
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + key));
    }

    public static void main(String[] arguments) throws Exception {
        Main program = new Main(System.getenv("DISTRIBU_URL"), System.getenv("DISTRIBU_API_KEY"));
        program.receiveOrder();
        program.listProducts();
        program.orderTooMuch();
        program.clearCreditLimit();
    }

    /** Places an order, and receives it as an event. */
    private void receiveOrder() throws Exception {
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        HttpServer receiver = receive(deliveries);
        try {
            receiveOrder(deliveries, "http://127.0.0.1:" + receiver.getAddress().getPort());
        } finally {
            receiver.stop(0);
        }
    }

    private void receiveOrder(BlockingQueue<Delivery> deliveries, String url) throws Exception {
        WebhooksApi webhooks = new WebhooksApi(client);
        List<EventSubscription> events = List.of(new EventSubscription(EventType.ORDER_CREATED));
        WebhookWithSecret webhook = webhooks.createWebhook(new WebhookCreate().url(url).events(events), null).getData();

        OrderDetail order = placeOrder();
        System.out.println("order: " + order.getId());
        System.out.println("next step: " + nextStep(order.getStatus()));

        Delivery delivery = deliveries.take();
        if (!delivery.isGenuine(webhook.getSecret())) {
            throw new SecurityException("The signature of the delivery is not valid");
        }
        OrderCreatedEvent created = client.getObjectMapper().readValue(delivery.body(), OrderCreatedEvent.class);
        System.out.println("received order: " + created.getData().getId());
        Delivery changed = new Delivery(delivery.headers(), new byte[0]);
        System.out.println("changed delivery is genuine: " + changed.isGenuine(webhook.getSecret()));

        webhooks.deleteWebhook(webhook.getId(), null);
    }

    /** Sends an idempotency key: if the response is lost, the same request can be sent again. */
    private OrderDetail placeOrder() throws ApiException {
        APICreateOrderRequest request = APICreateOrderRequest.newBuilder()
            .orderCreate(newOrder(1)).idempotencyKey(UUID.randomUUID().toString()).build();
        return new OrdersApi(client).createOrder(request).getData();
    }

    private static OrderCreate newOrder(int quantity) {
        OrderItemCreate item = new OrderItemCreate().productId(PRODUCT_ID).quantity(quantity);
        return new OrderCreate().customerId(CUSTOMER_ID).items(List.of(item));
    }

    /** Handles a status that a later version of the API adds: the status of an order is a string. */
    private static String nextStep(String status) {
        for (OrderStatus known : OrderStatus.values()) {
            if (known.getValue().equals(status)) {
                return switch (known) {
                    case SUBMITTED -> "confirm";
                    case CONFIRMED -> "ship";
                    case SHIPPED, DELIVERED, CANCELLED -> "none";
                };
            }
        }
        return "unknown, the status is " + status;
    }

    /** Reads all pages. */
    private void listProducts() throws ApiException {
        int count = 0;
        ProductPage page;
        String cursor = null;
        do {
            page = new ProductsApi(client).listProducts(APIListProductsRequest.newBuilder().limit(20).cursor(cursor).build());
            count += page.getData().size();
            cursor = page.getPagination().getNextCursor();
        } while (page.getPagination().getHasMore());
        System.out.println("products: " + count);
    }

    /** Reads the errors of an order that is refused. */
    private void orderTooMuch() throws IOException {
        try {
            new OrdersApi(client).createOrder(newOrder(100_000), null);
            throw new IllegalStateException("The order was not refused");
        } catch (ApiException exception) {
            ErrorResponse refusal = client.getObjectMapper().readValue(exception.getResponseBody(), ErrorResponse.class);
            System.out.println("refused: " + exception.getCode() + " " + refusal.getCode());
            for (ErrorDetail detail : refusal.getDetails()) {
                System.out.println("error: " + detail.getCode() + " " + detail.getPointer() + " " + detail.getAvailable());
            }
        }
    }

    /** Sends null for the credit limit. All other fields are absent, and remain as they are. */
    private void clearCreditLimit() throws ApiException {
        CustomerUpdate update = new CustomerUpdate() {
            @Override
            @JsonInclude(JsonInclude.Include.ALWAYS)
            public Double getCreditLimit() {
                return null;
            }
        };
        Customer customer = new CustomersApi(client).updateCustomer(CUSTOMER_ID, update, null, null).getData();
        System.out.println("has a credit limit: " + (customer.getCreditLimit() != null));
        System.out.println("notes: " + customer.getNotes());
    }

    private record Delivery(Headers headers, byte[] body) {
        /** Returns true if Distribu sent the delivery, also during the rotation of a secret. */
        boolean isGenuine(String secret) throws GeneralSecurityException {
            Mac code = Mac.getInstance("HmacSHA256");
            code.init(new SecretKeySpec(secret.getBytes(), "HmacSHA256"));
            byte[] expected = HexFormat.of().formatHex(code.doFinal(body)).getBytes();
            for (String name : List.of("X-Webhook-Signature", "X-Webhook-Signature-Previous")) {
                String signature = headers.getFirst(name);
                if (signature != null && MessageDigest.isEqual(signature.getBytes(), expected)) {
                    return true;
                }
            }
            return false;
        }
    }

    /** Accepts deliveries on a free port of this machine. */
    private static HttpServer receive(BlockingQueue<Delivery> deliveries) throws IOException {
        HttpServer receiver = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        receiver.createContext("/", exchange -> {
            deliveries.add(new Delivery(exchange.getRequestHeaders(), exchange.getRequestBody().readAllBytes()));
            exchange.sendResponseHeaders(204, -1);
            exchange.close();
        });
        receiver.start();
        return receiver;
    }
}
