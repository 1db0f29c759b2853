package delivery

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Headers are the headers of a record in wire order. A name may occur more
// than once.
type Headers []kgo.RecordHeader

// Get is the last value of a header, and whether there is one.
func (h Headers) Get(name string) ([]byte, bool) {
	for _, e := range slices.Backward(h) {
		if e.Key == name {
			return e.Value, true
		}
	}
	return nil, false
}

// First is the first value of a header, and whether there is one.
func (h Headers) First(name string) ([]byte, bool) {
	for _, e := range h {
		if e.Key == name {
			return e.Value, true
		}
	}
	return nil, false
}

// Text is the last value of a header as text, "" if there is none.
func (h Headers) Text(name string) string {
	v, _ := h.Get(name)
	return string(v)
}

// Headers of the retry chain, shared with Spring.
const (
	HeaderAttempts          = "retry_topic-attempts"
	HeaderOriginalTimestamp = "retry_topic-original-timestamp"
	HeaderBackOffTimestamp  = "retry_topic-backoff-timestamp"
)

// HeaderOriginGroup is the group whose delivery failed, in both families.
const HeaderOriginGroup = "kafka_dlt-original-consumer-group"

// Headers of bote, UTF-8 text.
const (
	HeaderMessageID    = "bote-message-id"
	HeaderErrorClass   = "bote-error-class"
	HeaderFirstTier    = "bote-first-tier"
	HeaderRedriveCount = "bote-redrive-count"
	HeaderRedriveID    = "bote-redrive-id"
	HeaderRedriveGroup = "bote-redrive-group"

	// HeaderDeadLetterCount is how often the record was dead-lettered since
	// its last redrive.
	HeaderDeadLetterCount = "bote-dead-letter-count"
	// HeaderRequeueCount is how often DLTRequeue put the record back.
	HeaderRequeueCount = "bote-requeue-count"
)

// The two families of origin and failure headers differ by prefix.
const (
	prefixRetry = "kafka_"
	prefixDLT   = "kafka_dlt-"
)

// Tails of the names of origin and failure headers, after the prefix of the
// family. In failure headers about a key, keyPart stands between prefix and tail.
const (
	tailTopic         = "original-topic"
	tailPartition     = "original-partition"
	tailOffset        = "original-offset"
	tailTimestamp     = "original-timestamp"
	tailTimestampType = "original-timestamp-type"

	tailFQCN    = "exception-fqcn"
	tailCause   = "exception-cause-fqcn"
	tailMessage = "exception-message"
	tailStack   = "exception-stacktrace"
	keyPart     = "key-"
)

// Longest failure texts that are written, in bytes.
const (
	maxMessageBytes = 1 << 10
	maxStackBytes   = 4 << 10
)

// minAhead is the least value of maxAhead: a due time less than that ahead never
// counts as garbage, as in Spring.
const minAhead = 24 * time.Hour

// strippedHeader reports whether a header is never forwarded. Two of these headers
// hold Java-serialised objects, which nobody should read.
func strippedHeader(name string) bool {
	switch name {
	case "springDeserializerExceptionKey", "springDeserializerExceptionValue",
		"kafka_deliveryAttempt", "kafka_listenerInfo":
		return true
	}
	return false
}

// retryHeader reports whether name is one of the three headers of the retry chain.
func retryHeader(name string) bool {
	return name == HeaderAttempts || name == HeaderOriginalTimestamp || name == HeaderBackOffTimestamp
}

// failureHeader reports whether name is a failure header of either family, about
// key or value.
func failureHeader(name string) bool {
	tail, ok := strings.CutPrefix(name, prefixDLT)
	if !ok {
		if tail, ok = strings.CutPrefix(name, prefixRetry); !ok {
			return false
		}
	}
	switch strings.TrimPrefix(tail, keyPart) {
	case tailFQCN, tailCause, tailMessage, tailStack:
		return true
	}
	return false
}

// readAttempts is the number of the record's next delivery, by its header. It is 1
// if the header is missing or makes no sense.
func readAttempts(h Headers) int {
	v, _ := h.Get(HeaderAttempts)
	n := 0
	switch len(v) {
	case 1:
		n = int(v[0])
	case 4:
		n = int(int32(binary.BigEndian.Uint32(v)))
	}
	if n < 1 || n > math.MaxInt16 {
		return 1
	}
	return n
}

// readOriginalTimestamp is the timestamp of the original record, in ms; fallback
// is the record's own timestamp.
func readOriginalTimestamp(h Headers, fallback int64) int64 {
	v, _ := h.Get(HeaderOriginalTimestamp)
	if ms, ok := decodeMillis(v); ok {
		return ms
	}
	return fallback
}

// readDue is when the record may be handled: now, if its headers do not say. A due
// time further ahead than maxAhead is ignored, and reported as garbage.
func readDue(h Headers, now time.Time, maxAhead time.Duration) (due time.Time, garbage bool) {
	v, _ := h.Get(HeaderBackOffTimestamp)
	ms, ok := decodeMillis(v)
	if !ok {
		return now, false
	}
	if ms > now.Add(maxAhead).UnixMilli() {
		return now, true
	}
	return time.UnixMilli(ms), false
}

// encodeMillis encodes ms as big-endian two's complement in as few bytes as
// possible, like Java's BigInteger.toByteArray.
func encodeMillis(ms int64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(ms))
	i := 0
	for i < 7 && (b[i] == 0 && b[i+1] < 0x80 || b[i] == 0xff && b[i+1] >= 0x80) {
		i++
	}
	return slices.Clone(b[i:])
}

// decodeMillis reads 1 to 8 bytes of big-endian two's complement.
func decodeMillis(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 8 {
		return 0, false
	}
	n := int64(int8(v[0]))
	for _, b := range v[1:] {
		n = n<<8 | int64(b)
	}
	return n, true
}

func int32Bytes(n int32) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(n))
}

func int64Bytes(n int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(n))
}

func readInt32(v []byte) (int32, bool) {
	if len(v) != 4 {
		return 0, false
	}
	return int32(binary.BigEndian.Uint32(v)), true
}

func readInt64(v []byte) (int64, bool) {
	if len(v) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(v)), true
}

// cutText shortens s to at most n bytes of valid UTF-8.
func cutText(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
