package delivery

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Origin is where a record was first read, before retry and dead-letter
// topics. For a record that never failed it is the record's own place.
type Origin struct {
	Topic         string
	Partition     int32
	Offset        int64
	Timestamp     time.Time
	TimestampType string // CreateTime, LogAppendTime or NoTimestampType
	Group         string // group whose delivery failed; "" if none did
}

// Failure is why a record was forwarded.
type Failure struct {
	Class   string // type of the error; from Spring the thrown class, not its wrapper
	Cause   string // type of the innermost error
	Message string
	Stack   string
	Reason  Reason // bote-error-class; "" on records of other writers
	Key     bool   // the key could not be decoded
}

// Reason says why a record was given up. The header bote-error-class holds it.
type Reason string

// The reasons.
const (
	ReasonDecode    Reason = "decode"
	ReasonPermanent Reason = "permanent"
	ReasonExhausted Reason = "exhausted"
	ReasonExpired   Reason = "expired"
	ReasonTimeout   Reason = "timeout"
	ReasonPanic     Reason = "panic"
	ReasonOversize  Reason = "oversize"
)

// Wrapper classes Spring writes; the thrown class is then in the cause header.
const (
	springWrapper = "org.springframework.kafka.listener.ListenerExecutionFailedException"
	springDecode  = "org.springframework.kafka.support.serializer.DeserializationException"
)

// ReadOrigin reads the origin of a record from the headers of either family.
// If a header has several values, the first one counts. If both families occur,
// the one that comes first in the record is older, and wins.
func ReadOrigin(r *kgo.Record) Origin {
	h := Headers(r.Headers)
	o := Origin{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Timestamp: r.Timestamp, TimestampType: timestampType(r),
	}
	if g, ok := h.Get(HeaderOriginGroup); ok {
		o.Group = string(g)
	}
	prefix, ok := originFamily(h)
	if !ok {
		return o
	}
	topic, _ := h.First(prefix + tailTopic)
	o.Topic = string(topic)
	if v, ok := h.First(prefix + tailPartition); ok {
		o.Partition, _ = readInt32(v)
	}
	if v, ok := h.First(prefix + tailOffset); ok {
		o.Offset, _ = readInt64(v)
	}
	if v, ok := h.First(prefix + tailTimestamp); ok {
		if ms, ok := readInt64(v); ok {
			o.Timestamp = time.UnixMilli(ms)
		}
	}
	if v, ok := h.First(prefix + tailTimestampType); ok {
		o.TimestampType = string(v)
	}
	return o
}

// originFamily is the prefix of the origin headers that come first.
func originFamily(h Headers) (string, bool) {
	for _, e := range h {
		switch e.Key {
		case prefixRetry + tailTopic:
			return prefixRetry, true
		case prefixDLT + tailTopic:
			return prefixDLT, true
		}
	}
	return "", false
}

func timestampType(r *kgo.Record) string {
	switch r.Attrs.TimestampType() {
	case 0:
		return "CreateTime"
	case 1:
		return "LogAppendTime"
	default:
		return "NoTimestampType"
	}
}

// ReadFailure reads the failure headers of either family. It is nil if the record
// has none. If both families occur, the one that comes later in the record is
// newer, and wins.
func ReadFailure(h Headers) *Failure {
	class, prefix := lastFailure(h)
	if class == "" {
		return nil
	}
	base := strings.TrimSuffix(prefix, keyPart)
	f := &Failure{
		Class:   class,
		Cause:   h.Text(base + tailCause),
		Message: h.Text(prefix + tailMessage),
		Stack:   h.Text(prefix + tailStack),
		Reason:  Reason(h.Text(HeaderErrorClass)),
		Key:     strings.HasSuffix(prefix, keyPart),
	}
	if f.Class == springWrapper && f.Cause != "" {
		f.Class = f.Cause
	}
	return f
}

// lastFailure is the error class that comes last, and the prefix before
// "exception-fqcn" of its header.
func lastFailure(h Headers) (class, prefix string) {
	for _, e := range slices.Backward(h) {
		if p, ok := strings.CutSuffix(e.Key, tailFQCN); ok && failureHeader(e.Key) {
			return string(e.Value), p
		}
	}
	return "", ""
}

// RestoreBytes undoes what a Spring service with a JSON producer does to bytes
// that it could not decode: it writes them to the dead-letter topic as a JSON
// string of their base64. If there is nothing to undo, key and value are the
// record's own.
func RestoreBytes(r *kgo.Record) (key, value []byte, restored bool) {
	key, value = r.Key, r.Value
	h := Headers(r.Headers)
	if !decodeFailure(h) {
		return key, value, false
	}
	if b, ok := fromBase64JSON(value); ok && h.Text("__TypeId__") == "[B" {
		value, restored = b, true
	}
	if b, ok := fromBase64JSON(key); ok && h.Text("__Key_TypeId__") == "[B" {
		key, restored = b, true
	}
	return key, value, restored
}

// decodeFailure tells whether any failure of the record is a decode error.
func decodeFailure(h Headers) bool {
	return slices.ContainsFunc(h, func(e kgo.RecordHeader) bool {
		return failureHeader(e.Key) && strings.HasSuffix(e.Key, "fqcn") && string(e.Value) == springDecode
	})
}

func fromBase64JSON(data []byte) ([]byte, bool) {
	var s string
	if !bytes.HasPrefix(data, []byte{'"'}) || json.Unmarshal(data, &s) != nil {
		return nil, false
	}
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil
}
