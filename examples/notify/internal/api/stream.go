package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/botehq/bote/examples/notify/message"
)

const heartbeat = 15 * time.Second

// stream sends the changes of one notification, or of all if no ID is given, as
// server-sent events named "status". With an ID, the current status comes first, so a
// client that connects again misses nothing that still matters.
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	changes := a.view.Subscribe(id)
	defer changes.Close()
	first, known := a.view.Get(id)
	if id != "" && !known {
		a.fail(w, r, notFound())
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	if known && event(w, first) != nil || out.Flush() != nil {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-a.cfg.Draining:
			return
		case <-beat.C:
			_, err = fmt.Fprint(w, ": still here\n\n")
		case s := <-changes.C():
			if s.ID == first.ID && s.Version <= first.Version && s.State == first.State {
				continue // it was sent first already
			}
			err = event(w, s)
		}
		if err != nil || out.Flush() != nil {
			return
		}
	}
}

func event(w http.ResponseWriter, s message.Status) error {
	data, err := json.Marshal(resource(s))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "event: status\nid: %s-%d\ndata: %s\n\n", s.ID, s.Version, data)
	return err
}
