package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/codec"
	"github.com/botehq/bote/delivery/deliverytest"
)

// Order is the value of the topic order-created.
type Order struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

var errNoEmail = errors.New("order has no e-mail address")

// A listener with retry topics: 5 attempts at 0, 1, 3, 7 and 15 seconds, then
// the dead-letter topic order-created.dlt.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	c, err := delivery.Dial([]string{"localhost:9092"}, delivery.WithLogger(log))
	if err != nil {
		log.Error("dial", slog.Any("err", err))
		return
	}
	orders := delivery.NewTopic("order-created", codec.JSON[Order]())
	l, err := delivery.Listen(c, orders, "mail-service",
		func(ctx context.Context, m *delivery.Message[Order]) error {
			if m.Value.Email == "" {
				return delivery.Permanent(errNoEmail) // no retry can help.
			}
			return sendMail(ctx, m.Value)
		},
		delivery.RetryTopics(delivery.Attempts(5), delivery.Exponential(time.Second, 2, time.Minute), delivery.Jitter(0.2)),
		delivery.DeadLetter(delivery.Suffix(".dlt")),
		delivery.HandlerTimeout(10*time.Second),
	)
	if err != nil {
		log.Error("listen", slog.Any("err", err))
		return
	}
	// Returns when a signal came and all handlers have finished.
	if err := delivery.Run(ctx, l, c); err != nil {
		log.Error("run", slog.Any("err", err))
	}
}

func sendMail(context.Context, Order) error { return errors.New("smtp is down") }

// Send waits until all in-sync replicas have the record.
func ExampleTopic_Send() {
	c, err := delivery.Dial([]string{"localhost:9092"})
	if err != nil {
		fmt.Println("dial:", err)
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	orders := delivery.NewTopic("order-created", codec.JSON[Order]())
	r, err := orders.Send(ctx, c, "order-1", Order{ID: "order-1"}, delivery.Header("tenant", []byte("kr")))
	switch {
	case errors.Is(err, delivery.ErrUnknownOutcome):
		fmt.Println("it may have been sent:", err)
	case err != nil:
		fmt.Println("not sent:", err)
	default:
		fmt.Println("sent to partition", r.Partition, "at offset", r.Offset)
	}
}

// A hand-made Message is enough to test a handler alone.
func ExampleMessage() {
	handle := func(_ context.Context, m *delivery.Message[Order]) error {
		if m.Value.Email == "" {
			return delivery.Permanent(errNoEmail)
		}
		return nil
	}
	err := handle(context.Background(), &delivery.Message[Order]{Value: Order{ID: "1"}})
	fmt.Println(err)
	// Output: order has no e-mail address
}

// A test of a record's whole path, with a clock that the test moves.
func TestExampleOfDeliverytest(t *testing.T) {
	h := deliverytest.New(t)
	orders := delivery.NewTopic("order-created", codec.JSON[Order]())
	l, err := delivery.Listen(h.Client(), orders, "mail-service",
		func(ctx context.Context, m *delivery.Message[Order]) error { return sendMail(ctx, m.Value) },
		delivery.RetryTopics(), delivery.DeadLetter(delivery.Suffix(".dlt")))
	if err != nil {
		t.Fatal(err)
	}
	h.Start(l)
	h.Publish(orders, "order-1", Order{ID: "order-1"})
	h.ExpectRecords("order-created-retry", 1)
	h.Advance(time.Second)
	h.ExpectDeadLetter("order-created.dlt", 0)
	h.Advance(time.Second)
	h.ExpectDeadLetter("order-created.dlt", 1)
}
