// Package message holds what the API and the worker of the notification service
// say to each other: the types of the records, their topics, and the events that
// tell how far a notification got. It owns names and shapes, and neither sends nor
// handles anything.
//
// The values of email.send and sms.send are plain JSON objects without an ID, so
// that any producer may write them, even a console producer. The ID is in the
// header that package delivery keeps through retries and redrives. The function ID
// says what is used if there is no header.
package message

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

// Email is a mail to be sent, the value on TopicEmails.
type Email struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Subject string `json:"subject"`
	Body    string `json:"body"`
}

// SMS is a text message to be sent, the value on TopicSMS.
type SMS struct {
	From string `json:"from"`
	To   string `json:"to"`
	Body string `json:"body"`
}

// Order is an order that was placed, the value on TopicOrders. Java services
// keep both IDs as Long.
type Order struct {
	OrderID Identifier `json:"orderId"`
	UserID  Identifier `json:"userId"`
	Amount  int64      `json:"amount"`
	Email   string     `json:"email"`
}

// Attempts is how often a notification is tried before it is dead.
const Attempts = 5

// Kind says what a notification is.
type Kind string

// The kinds. KindOrder is the mail that confirms an order.
const (
	KindEmail Kind = "email"
	KindSMS   Kind = "sms"
	KindOrder Kind = "order"
)

// State is how far a notification got.
type State string

// The states. Sent, dead and discarded are final, unless a dead letter is redriven.
const (
	StateAccepted  State = "accepted"  // the notification is on its topic
	StateSending   State = "sending"   // a worker is sending it
	StateRetrying  State = "retrying"  // it failed and waits for the next attempt
	StateSent      State = "sent"      // the server took it
	StateDead      State = "dead"      // it lies in the dead-letter topic
	StateDiscarded State = "discarded" // somebody decided that it needs nothing more
)

// States are all states in the order they are reached.
func States() []State {
	return []State{StateAccepted, StateSending, StateRetrying, StateSent, StateDead, StateDiscarded}
}

// Final reports whether nothing more happens by itself in the state.
func (s State) Final() bool {
	return s == StateSent || s == StateDead || s == StateDiscarded
}

// Attempt is one delivery that ended. Error is empty if it succeeded.
type Attempt struct {
	N     int       `json:"n"`
	At    time.Time `json:"at"`
	Error string    `json:"error,omitempty"`
}

// Status is how far one notification got, the value on TopicStatus. Each record
// holds all of it, so that a compacted topic keeps all that matters.
type Status struct {
	ID            string     `json:"id"`
	Kind          Kind       `json:"kind"`
	State         State      `json:"status"`
	Attempts      []Attempt  `json:"attempts"`
	NextAttemptAt *time.Time `json:"nextAttemptAt"` // nil unless it is retrying
	// Topic, Partition and Offset are where the API put the notification.
	Topic      string    `json:"topic"`
	Partition  int32     `json:"partition"`
	Offset     int64     `json:"offset"`
	AcceptedAt time.Time `json:"acceptedAt"`
	// Version counts the events of a notification. The highest one is the newest,
	// whatever the clocks of two workers say.
	Version int `json:"version"`
}

// ID is the ID of the notification in a record: the one in the header, else the ID
// in the order, else the place where the record was first written.
func ID(r *kgo.Record) string {
	if id := delivery.Headers(r.Headers).Text(delivery.HeaderMessageID); id != "" {
		return id
	}
	o := delivery.ReadOrigin(r)
	if o.Topic == TopicOrders {
		var order Order
		if json.Unmarshal(r.Value, &order) == nil && order.OrderID != "" {
			return string(order.OrderID)
		}
	}
	return fmt.Sprintf("%s-%d-%d", o.Topic, o.Partition, o.Offset)
}
