package status

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/examples/notify/message"
)

// ErrCursor is returned by List for a cursor that List did not make.
var ErrCursor = errors.New("cursor was not made by a list")

// List is a page of notifications of a kind, the newest first: those in a state
// ("" for all), after the cursor ("" for the first page). The next cursor is ""
// at the end.
func (v *View) List(kind message.Kind, state message.State, cursor string, limit int) (page []message.Status, next string, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := v.lists[kind]
	end := len(list)
	if cursor != "" {
		k, err := parseCursor(cursor)
		if err != nil {
			return nil, "", err
		}
		end, _ = slices.BinarySearchFunc(list, k, key.compare)
	}
	for i := end - 1; i >= 0; i-- {
		s := v.items[list[i].id].status
		if state != "" && s.State != state {
			continue
		}
		if len(page) == limit {
			return page, formatCursor(keyOf(page[limit-1])), nil
		}
		page = append(page, s)
	}
	return page, "", nil
}

// Counts are how many notifications of a kind are in each state.
func (v *View) Counts(kind message.Kind) map[message.State]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[message.State]int{}
	for _, k := range v.lists[kind] {
		out[v.items[k.id].status.State]++
	}
	return out
}

func formatCursor(k key) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(k.at, 10) + " " + k.id))
}

func parseCursor(s string) (key, error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return key{}, ErrCursor
	}
	at, id, found := strings.Cut(string(raw), " ")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !found {
		return key{}, ErrCursor
	}
	return key{ms, id}, nil
}
