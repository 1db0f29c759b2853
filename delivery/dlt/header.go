package dlt

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/delivery"
)

// HeaderText is the value of a header in which bote and Spring write a number or a
// time in binary. Numbers are given in decimal, times in RFC 3339. ok is false if
// the name of the header is not known, or the value is no number.
func HeaderText(h kgo.RecordHeader) (text string, ok bool) {
	switch tail := strings.TrimPrefix(strings.TrimPrefix(h.Key, "kafka_"), "dlt-"); {
	case h.Key == delivery.HeaderOriginalTimestamp, h.Key == delivery.HeaderBackOffTimestamp:
		return timeText(h.Value)
	case tail == h.Key && h.Key != delivery.HeaderAttempts:
		return "", false
	case tail == "original-timestamp":
		return timeText(h.Value)
	case tail == "original-partition", tail == "original-offset", tail == "deliveryAttempt", h.Key == delivery.HeaderAttempts:
		n, ok := bigEndian(h.Value)
		return strconv.FormatInt(n, 10), ok
	}
	return "", false
}

func timeText(v []byte) (string, bool) {
	ms, ok := bigEndian(v)
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z"), ok
}

// bigEndian reads a number in two's complement of 1 to 8 bytes.
func bigEndian(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 8 {
		return 0, false
	}
	var b [8]byte
	copy(b[8-len(v):], v)
	if v[0] >= 0x80 {
		for i := range 8 - len(v) {
			b[i] = 0xff
		}
	}
	return int64(binary.BigEndian.Uint64(b[:])), true
}

// dueTime is when a record of a retry topic is due, zero if it does not say so.
func dueTime(h delivery.Headers) time.Time {
	v, _ := h.Get(delivery.HeaderBackOffTimestamp)
	if ms, ok := bigEndian(v); ok {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// attempt is the number of the delivery that a record waits for.
func attempt(h delivery.Headers) int {
	v, _ := h.Get(delivery.HeaderAttempts)
	if n, ok := bigEndian(v); ok && n > 0 && n < math.MaxInt16 {
		return int(n)
	}
	return 1
}
