package api

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/examples/notify/message"
)

// OrderAnswer is the answer to an order.
type OrderAnswer struct {
	OrderID message.Identifier `json:"orderId"`
}

// OrderView is an order with the status of its mail.
type OrderView struct {
	message.Order
	Mail message.Status `json:"mail"`
}

// orderIDs makes the numbers of orders. They grow with time and are below 2^53
// until 2039, so that JavaScript reads them too. If two processes take an order in the
// same millisecond, the chance of equal numbers is 1 in 4096.
type orderIDs struct{ last atomic.Int64 }

func (o *orderIDs) next(now time.Time) string {
	for {
		last := o.last.Load()
		id := max(last+1, now.UnixMilli()<<12|rand.Int64N(1<<12))
		if o.last.CompareAndSwap(last, id) {
			return strconv.FormatInt(id, 10)
		}
	}
}

// postOrder publishes an order. There is no database here that could disagree with
// the topic; the order is the record.
func (a *API) postOrder(w http.ResponseWriter, r *http.Request) {
	b, p := readBody(w, r)
	if p != nil {
		a.fail(w, r, *p)
		return
	}
	id := a.orders.next(time.Now())
	o := message.Order{OrderID: message.Identifier(id), UserID: b.identifier("userId"), Amount: b.integer("amount", 1), Email: b.address("email")}
	if p := b.end(); p != nil {
		a.fail(w, r, *p)
		return
	}
	res, ok := a.send(w, r, id, func(ctx context.Context, id string) (delivery.Result, error) {
		return message.Orders().Send(ctx, a.client, id, o, delivery.MessageID(id))
	})
	if !ok {
		return
	}
	a.view.AcceptOrder(o, accepted(id, message.KindOrder, res))
	w.Header().Set("Location", "/api/orders/"+id)
	writeJSON(w, http.StatusCreated, "application/json", OrderAnswer{OrderID: o.OrderID})
}

func (a *API) getOrder(w http.ResponseWriter, r *http.Request) {
	o, s, known := a.view.Order(r.PathValue("id"))
	if !known {
		a.fail(w, r, notFound())
		return
	}
	writeJSON(w, http.StatusOK, "application/json", OrderView{Order: o, Mail: resource(s)})
}
