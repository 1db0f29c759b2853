package worker

import (
	"context"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/examples/notify/internal/alert"
	"github.com/botehq/bote/examples/notify/internal/mailbox"
	"github.com/botehq/bote/examples/notify/message"
)

// orderSender is who confirmations of orders come from.
const orderSender = "orders@example.com"

func (w *Worker) sendEmail(ctx context.Context, m *delivery.Message[message.Email]) error {
	return w.cfg.Mail.Send(ctx, message.ID(m.Raw()), m.Value)
}

func (w *Worker) sendSMS(ctx context.Context, m *delivery.Message[message.SMS]) error {
	return w.cfg.SMS.SendSMS(ctx, message.ID(m.Raw()), m.Value)
}

// mailOrder confirms an order by mail.
func (w *Worker) mailOrder(ctx context.Context, m *delivery.Message[message.Order]) error {
	o := m.Value
	return w.cfg.Mail.Send(ctx, message.ID(m.Raw()), message.Email{
		From: orderSender, To: o.Email,
		Subject: "주문 확인 / Order " + string(o.OrderID),
		Body:    fmt.Sprintf("주문이 접수되었습니다. 금액: %d\nYour order was received. Amount: %d\n", o.Amount, o.Amount),
	})
}

// deadLetter shows a dead letter and sends an alert. While the alert cannot be sent,
// deadLetter fails and is called again.
func (w *Worker) deadLetter(ctx context.Context, m *delivery.Message[[]byte]) error {
	e := alert.Event{Topic: m.Topic, Class: "unknown", ID: message.ID(m.Raw())}
	if f := m.Failure(); f != nil {
		e.Class, e.Reason = string(f.Reason), f.Message
	}
	if err := w.alerter.Tell(ctx, e); err != nil {
		return err
	}
	w.cfg.Mailbox.Add(mailbox.Message{
		Kind: mailbox.KindDeadLetter, ID: e.ID, To: string(m.Key),
		Subject: fmt.Sprintf("%s, %d-%d (%s)", m.Topic, m.Partition, m.Offset, e.Class), Body: e.Reason,
	})
	return nil
}

// stats counts orders since the start.
type stats struct {
	orders, amount prometheus.Counter

	mu  sync.Mutex
	now Stats
}

// Stats are sums over the orders that this worker counted.
type Stats struct {
	Orders int64 `json:"orders"`
	Amount int64 `json:"amount"`
}

func newStats(reg prometheus.Registerer) (*stats, error) {
	s := &stats{
		orders: prometheus.NewCounter(prometheus.CounterOpts{Name: "bote_notify_orders_total", Help: "Orders counted."}),
		amount: prometheus.NewCounter(prometheus.CounterOpts{Name: "bote_notify_order_amount_total", Help: "Sum of the amounts of the orders counted."}),
	}
	for _, c := range []prometheus.Collector{s.orders, s.amount} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of orders: %w", err)
		}
	}
	return s, nil
}

func (s *stats) count(_ context.Context, m *delivery.Message[message.Order]) error {
	s.orders.Inc()
	s.amount.Add(float64(max(m.Value.Amount, 0)))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Orders++
	s.now.Amount += m.Value.Amount
	return nil
}

func (s *stats) get() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}
