package status

import (
	"github.com/botehq/bote/examples/notify/message"
)

// subscriptionBuffer is how many changes wait for a slow reader.
const subscriptionBuffer = 64

// Subscription hands out changes of a view.
type Subscription struct {
	view *View
	id   string
	c    chan message.Status
}

// Subscribe hands out the changes of one notification, or of all with an empty
// ID, from now on. The caller must Close it.
func (v *View) Subscribe(id string) *Subscription {
	s := &Subscription{view: v, id: id, c: make(chan message.Status, subscriptionBuffer)}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.subs[s] = struct{}{}
	return s
}

// C is where the changes arrive. A reader that is too slow misses the oldest ones,
// never the newest.
func (s *Subscription) C() <-chan message.Status { return s.c }

// Close ends the subscription.
func (s *Subscription) Close() {
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	delete(s.view.subs, s)
}

// offer is called with the view's mutex held, so it is the only writer.
func (s *Subscription) offer(st message.Status) {
	if s.id != "" && s.id != st.ID {
		return
	}
	for {
		select {
		case s.c <- st:
			return
		default:
		}
		select {
		case <-s.c:
		default:
		}
	}
}
