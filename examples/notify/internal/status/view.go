// Package status keeps a view of how far each notification got. The view is made only
// from the topics. The package owns no data: a view that is lost is read again, two
// views of one cluster end up equal, and the API and the worker share no database.
//
// Three kinds of topics feed a View. A record on a main topic says that a
// notification was accepted. An event of the worker says what happened to it; the
// event holds the whole status, and its version orders it. A note in the state topic
// of a dead-letter topic says that somebody discarded a dead letter.
package status

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery/dlt"
	"github.com/botehq/bote/examples/notify/message"
)

// maxItems is how many notifications a view holds. The oldest ones go first.
const maxItems = 100_000

// dltStateSuffix is what package dlt calls the topic of its notes.
const dltStateSuffix = message.DeadLetterSuffix + "-bote-state"

// View is safe for concurrent use.
type View struct {
	mu        sync.Mutex
	items     map[string]*item
	lists     map[message.Kind][]key // sorted, oldest first
	letters   map[letter]string      // IDs of dead letters
	discarded map[letter]bool        // letters whose note was read before the letter
	subs      map[*Subscription]struct{}
}

// item is what is known of one notification.
type item struct {
	status message.Status
	order  message.Order // of KindOrder, if its record was seen
}

// key orders notifications by the time they were accepted.
type key struct {
	at int64 // milliseconds
	id string
}

func (k key) compare(o key) int {
	if k.at != o.at {
		if k.at < o.at {
			return -1
		}
		return 1
	}
	return strings.Compare(k.id, o.id)
}

// letter is a place in a dead-letter topic.
type letter struct {
	topic string
	place dlt.Place
}

// NewView makes an empty view.
func NewView() *View {
	return &View{
		items: map[string]*item{}, lists: map[message.Kind][]key{}, letters: map[letter]string{},
		discarded: map[letter]bool{}, subs: map[*Subscription]struct{}{},
	}
}

// Get is the status of a notification, and whether it is known.
func (v *View) Get(id string) (message.Status, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	it := v.items[id]
	if it == nil {
		return message.Status{}, false
	}
	return it.status, true
}

// Order is an order with the status of its mail.
func (v *View) Order(id string) (message.Order, message.Status, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	it := v.items[id]
	if it == nil || it.order.OrderID == "" {
		return message.Order{}, message.Status{}, false
	}
	return it.order, it.status, true
}

// Accept notes that a notification is on its topic. Fields that only a worker
// knows are ignored.
func (v *View) Accept(s message.Status) {
	s.State, s.Attempts, s.NextAttemptAt, s.Version = message.StateAccepted, nil, nil, 0
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.items[s.ID] == nil {
		v.put(s)
	}
}

// AcceptOrder is Accept of an order's mail.
func (v *View) AcceptOrder(o message.Order, s message.Status) {
	v.Accept(s)
	v.mu.Lock()
	defer v.mu.Unlock()
	if it := v.items[s.ID]; it != nil {
		it.order = o
	}
}

// Apply takes an event of a worker. An event that is not newer than the known status
// changes nothing.
func (v *View) Apply(s message.Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if it := v.items[s.ID]; it == nil || it.status.Version < s.Version {
		v.put(s)
	}
}

// put stores a status and tells the subscribers. The caller holds the mutex.
func (v *View) put(s message.Status) {
	it := v.items[s.ID]
	if it == nil {
		it = &item{}
		v.items[s.ID] = it
	} else {
		v.unlist(it.status)
	}
	it.status = s
	k := keyOf(s)
	list := v.lists[s.Kind]
	at, _ := slices.BinarySearchFunc(list, k, key.compare)
	v.lists[s.Kind] = slices.Insert(list, at, k)
	v.shrink(s.Kind)
	for sub := range v.subs {
		sub.offer(s)
	}
}

func keyOf(s message.Status) key { return key{s.AcceptedAt.UnixMilli(), s.ID} }

func (v *View) unlist(s message.Status) {
	list := v.lists[s.Kind]
	if at, found := slices.BinarySearchFunc(list, keyOf(s), key.compare); found {
		v.lists[s.Kind] = slices.Delete(list, at, at+1)
	}
}

func (v *View) shrink(kind message.Kind) {
	if len(v.items) <= maxItems || len(v.lists[kind]) < 2 {
		return
	}
	oldest := v.lists[kind][0]
	delete(v.items, oldest.id)
	v.lists[kind] = v.lists[kind][1:]
}

// Read takes a record of any topic that feeds a view.
func (v *View) Read(r *kgo.Record) {
	switch {
	case r.Topic == message.TopicStatus:
		v.readEvent(r)
	case r.Topic == message.TopicEmails:
		v.Accept(accepted(r, message.ID(r), message.KindEmail))
	case r.Topic == message.TopicSMS:
		v.Accept(accepted(r, message.ID(r), message.KindSMS))
	case r.Topic == message.TopicOrders:
		v.readOrder(r)
	case strings.HasSuffix(r.Topic, dltStateSuffix):
		v.readNote(r)
	case strings.HasSuffix(r.Topic, message.DeadLetterSuffix):
		v.readLetter(r)
	}
}

func accepted(r *kgo.Record, id string, kind message.Kind) message.Status {
	return message.Status{
		ID: id, Kind: kind, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		AcceptedAt: r.Timestamp.Truncate(time.Millisecond).UTC(),
	}
}

// readEvent takes an event of a worker, and ignores one that cannot be read.
func (v *View) readEvent(r *kgo.Record) {
	var s message.Status
	if json.Unmarshal(r.Value, &s) == nil && s.ID != "" {
		v.Apply(s)
	}
}

// readOrder takes an order. An order that cannot be read is in the view by the ID of
// its record, under which the worker dead-letters it.
func (v *View) readOrder(r *kgo.Record) {
	var o message.Order
	id := message.ID(r)
	if json.Unmarshal(r.Value, &o) != nil || o.OrderID == "" {
		v.Accept(accepted(r, id, message.KindOrder))
		return
	}
	v.AcceptOrder(o, accepted(r, id, message.KindOrder))
}

// readLetter remembers which notification a dead letter is.
func (v *View) readLetter(r *kgo.Record) {
	l := letter{r.Topic, dlt.Place{Partition: r.Partition, Offset: r.Offset}}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.letters) < maxItems {
		v.letters[l] = message.ID(r)
	}
	if v.discarded[l] {
		delete(v.discarded, l)
		v.discard(l)
	}
}

// readNote takes the note of what was done with a dead letter. It ignores redrives,
// because events of the worker say what happened to them.
func (v *View) readNote(r *kgo.Record) {
	place, err := dlt.ParsePlace(string(r.Key))
	var note dlt.State
	if err != nil || json.Unmarshal(r.Value, &note) != nil || note.Action != dlt.ActionDiscarded {
		return
	}
	l := letter{strings.TrimSuffix(r.Topic, strings.TrimPrefix(dltStateSuffix, message.DeadLetterSuffix)), place}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.letters[l]; !known {
		v.discarded[l] = true
		return
	}
	v.discard(l)
}

// discard marks a dead notification. The caller holds the mutex.
func (v *View) discard(l letter) {
	it := v.items[v.letters[l]]
	if it == nil || it.status.State != message.StateDead {
		return
	}
	s := it.status
	s.State = message.StateDiscarded
	v.put(s)
}
