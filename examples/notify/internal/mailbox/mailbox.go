// Package mailbox is where the notifications of the app arrive when no real server
// is given. It has an SMTP server that keeps the mails it gets, an SMS provider that
// keeps the texts it should send, and a page that shows both, with switches that make
// them fail. It keeps only the newest messages, and in memory.
package mailbox

import (
	"slices"
	"sync"
	"time"

	"github.com/botehq/bote/examples/notify/internal/text"
)

// maxMessages is how many messages are kept.
const maxMessages = 500

// Kind says what a message in the mailbox is.
type Kind string

// The kinds.
const (
	KindMail       Kind = "mail"
	KindSMS        Kind = "sms"
	KindDeadLetter Kind = "dead-letter"
	KindAlert      Kind = "alert"
)

// Message is one thing that arrived.
type Message struct {
	Seq     int64     `json:"seq"`
	Kind    Kind      `json:"kind"`
	At      time.Time `json:"at"`
	ID      string    `json:"id,omitempty"` // of the notification
	From    string    `json:"from,omitempty"`
	To      string    `json:"to,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Body    string    `json:"body"`
	Korean  string    `json:"-"` // the body for the page in Korean, empty if it is the same
}

// In is the body for the page in a language.
func (m Message) In(l text.Lang) string {
	if l == text.Korean && m.Korean != "" {
		return m.Korean
	}
	return m.Body
}

// Mailbox is safe for concurrent use.
type Mailbox struct {
	faults Faults

	mu       sync.Mutex
	last     int64
	messages []Message // oldest first
}

// New makes an empty mailbox in which nothing fails.
func New() *Mailbox { return &Mailbox{} }

// Faults are the switches.
func (m *Mailbox) Faults() *Faults { return &m.faults }

// Add keeps a message and gives it its number and time.
func (m *Mailbox) Add(msg Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	msg.Seq, msg.At = m.last, time.Now().UTC()
	m.messages = append(m.messages, msg)
	if extra := len(m.messages) - maxMessages; extra > 0 {
		m.messages = slices.Delete(m.messages, 0, extra)
	}
}

// Messages are the messages with a number above after, the oldest first. The second
// result is the number of the newest message that was added.
func (m *Mailbox) Messages(after int64) ([]Message, int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, _ := slices.BinarySearchFunc(m.messages, after+1, func(msg Message, seq int64) int { return int(msg.Seq - seq) })
	return slices.Clone(m.messages[at:]), m.last
}

// Clear forgets all messages.
func (m *Mailbox) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.messages = nil
}
