// Uses a client that openapi-generator made from the OpenAPI document of Distribu.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"example.com/orders/distribu"
)

// Ids of the demo company.
const (
	customerID = "cmdw8k1ze0002qj7h6r4t9v3b"
	productID  = "cmdx3p9f20007qj7h1c8m4t5w"
)

var ctx = context.Background()

func main() {
	configuration := distribu.NewConfiguration()
	configuration.Servers = distribu.ServerConfigurations{{URL: os.Getenv("DISTRIBU_URL") + "/api/v1"}}
	configuration.AddDefaultHeader("Authorization", "Bearer "+os.Getenv("DISTRIBU_API_KEY"))
	api := distribu.NewAPIClient(configuration)

	receiveOrder(api)
	listProducts(api)
	orderTooMuch(api)
	clearCreditLimit(api)
}

// receiveOrder places an order, and receives it as an event.
func receiveOrder(api *distribu.APIClient) {
	deliveries := make(chan delivery, 1)
	url := receive(deliveries)
	event := distribu.EVENTTYPE_ORDER_CREATED
	subscription := distribu.EventSubscription{EventType: &event}
	webhook, _, err := api.WebhooksAPI.CreateWebhook(ctx).
		WebhookCreate(*distribu.NewWebhookCreate(url, []distribu.EventSubscription{subscription})).Execute()
	check(err)

	order := placeOrder(api)
	fmt.Println("order:", order.Id)
	fmt.Println("next step:", nextStep(order.Status))

	secret := webhook.Data.GetSecret()
	received := <-deliveries
	if !received.isGenuine(secret) {
		log.Fatal("the signature of the delivery is not valid")
	}
	var created distribu.OrderCreatedEvent
	check(json.Unmarshal(received.body, &created))
	fmt.Println("received order:", created.Data.Id)
	received.body = append(received.body, ' ')
	fmt.Println("changed delivery is genuine:", received.isGenuine(secret))

	_, _, err = api.WebhooksAPI.DeleteWebhook(ctx, webhook.Data.Id).Execute()
	check(err)
}

// placeOrder sends an idempotency key: if the response is lost, the same request can be sent again.
func placeOrder(api *distribu.APIClient) distribu.OrderDetail {
	order, _, err := api.OrdersAPI.CreateOrder(ctx).
		OrderCreate(newOrder(1)).IdempotencyKey(fmt.Sprint("go-", time.Now().UnixNano())).Execute()
	check(err)
	return order.Data
}

func newOrder(quantity int32) distribu.OrderCreate {
	item := distribu.NewOrderItemCreate(quantity)
	item.SetProductId(productID)
	return *distribu.NewOrderCreate(customerID, []distribu.OrderItemCreate{*item})
}

// nextStep handles a status that a later version of the API adds: the status of an order is a string.
func nextStep(status string) string {
	switch distribu.OrderStatus(status) {
	case distribu.ORDERSTATUS_SUBMITTED:
		return "confirm"
	case distribu.ORDERSTATUS_CONFIRMED:
		return "ship"
	case distribu.ORDERSTATUS_SHIPPED, distribu.ORDERSTATUS_DELIVERED, distribu.ORDERSTATUS_CANCELLED:
		return "none"
	}
	return "unknown, the status is " + status
}

// listProducts reads all pages.
func listProducts(api *distribu.APIClient) {
	count := 0
	request := api.ProductsAPI.ListProducts(ctx).Limit(20)
	for hasMore := true; hasMore; {
		page, _, err := request.Execute()
		check(err)
		count += len(page.Data)
		hasMore = page.Pagination.HasMore
		request = request.Cursor(page.Pagination.GetNextCursor())
	}
	fmt.Println("products:", count)
}

// orderTooMuch reads the errors of an order that is refused.
func orderTooMuch(api *distribu.APIClient) {
	_, response, err := api.OrdersAPI.CreateOrder(ctx).OrderCreate(newOrder(100_000)).Execute()
	var refused *distribu.GenericOpenAPIError
	if !errors.As(err, &refused) {
		log.Fatal("the order was not refused")
	}
	refusal := refused.Model().(distribu.ErrorResponse)
	fmt.Println("refused:", response.StatusCode, refusal.Code)
	for _, detail := range refusal.Details {
		fmt.Println("error:", detail.GetCode(), detail.Pointer, detail.GetAvailable())
	}
}

// clearCreditLimit sends null for the credit limit. All other fields are absent, and remain as they are.
func clearCreditLimit(api *distribu.APIClient) {
	update := distribu.NewCustomerUpdate()
	update.SetCreditLimitNil()
	customer, _, err := api.CustomersAPI.UpdateCustomer(ctx, customerID).CustomerUpdate(*update).Execute()
	check(err)
	fmt.Println("has a credit limit:", customer.Data.CreditLimit.Get() != nil)
	fmt.Println("notes:", customer.Data.GetNotes())
}

type delivery struct {
	header http.Header
	body   []byte
}

// isGenuine returns true if Distribu sent the delivery, also during the rotation of a secret.
func (d delivery) isGenuine(secret string) bool {
	code := hmac.New(sha256.New, []byte(secret))
	code.Write(d.body)
	for _, name := range []string{"X-Webhook-Signature", "X-Webhook-Signature-Previous"} {
		signature, err := hex.DecodeString(d.header.Get(name))
		if err == nil && hmac.Equal(signature, code.Sum(nil)) {
			return true
		}
	}
	return false
}

// receive accepts deliveries on a free port of this machine, and returns its URL.
func receive(deliveries chan<- delivery) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go http.Serve(listener, http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		check(err)
		deliveries <- delivery{request.Header, body}
	}))
	return "http://" + listener.Addr().String()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
