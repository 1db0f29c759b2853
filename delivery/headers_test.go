package delivery

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestEncodeMillis(t *testing.T) {
	for ms, want := range map[int64]string{
		1700000000000: "018bcfe56800", 0: "00", 127: "7f", 128: "0080", -1: "ff", -128: "80", -129: "ff7f",
		1<<63 - 1: "7fffffffffffffff", -1 << 63: "8000000000000000",
	} {
		got := encodeMillis(ms)
		require.Equal(t, want, hex.EncodeToString(got), "%d", ms)
		back, ok := decodeMillis(got)
		require.True(t, ok)
		require.Equal(t, ms, back)
	}
	require.Equal(t, "00000002", hex.EncodeToString(int32Bytes(2)))
}

func header(name string, value []byte) kgo.RecordHeader {
	return kgo.RecordHeader{Key: name, Value: value}
}

func TestReadAttempts(t *testing.T) {
	for _, tc := range []struct {
		hex  string
		want int
	}{
		{"00000002", 2},
		{"02", 2},
		{"c8", 200},
		{"00007fff", 32767},
		{"00008000", 1},
		{"00", 1},
		{"00000000", 1},
		{"ffffffff", 1},
		{"000002", 1},
		{"0000000000000002", 1},
		{"", 1},
	} {
		v, err := hex.DecodeString(tc.hex)
		require.NoError(t, err)
		require.Equal(t, tc.want, readAttempts(Headers{header(HeaderAttempts, v)}), tc.hex)
	}
	require.Equal(t, 1, readAttempts(nil))
	require.Equal(t, 1, readAttempts(Headers{header(HeaderAttempts, nil)}))
	require.Equal(t, 4, readAttempts(Headers{header(HeaderAttempts, int32Bytes(3)), header(HeaderAttempts, int32Bytes(4))}))
}

func TestReadDue(t *testing.T) {
	now := time.UnixMilli(1700000000000)
	due := func(v []byte) (time.Duration, bool) {
		at, garbage := readDue(Headers{header(HeaderBackOffTimestamp, v)}, now, minAhead)
		return at.Sub(now), garbage
	}
	for _, tc := range []struct {
		name    string
		value   []byte
		want    time.Duration
		garbage bool
	}{
		{"ahead", encodeMillis(now.UnixMilli() + 1200), 1200 * time.Millisecond, false},
		{"8 bytes", int64Bytes(now.UnixMilli() + 1200), 1200 * time.Millisecond, false},
		{"past", encodeMillis(now.UnixMilli() - 5), -5 * time.Millisecond, false},
		{"23 h", encodeMillis(now.Add(23 * time.Hour).UnixMilli()), 23 * time.Hour, false},
		{"25 h", encodeMillis(now.Add(25 * time.Hour).UnixMilli()), 0, true},
		{"largest", int64Bytes(1<<63 - 1), 0, true},
		{"empty", []byte{}, 0, false},
		{"null", nil, 0, false},
		{"9 bytes", make([]byte, 9), 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d, garbage := due(tc.value)
			require.Equal(t, tc.want, d)
			require.Equal(t, tc.garbage, garbage)
		})
	}
}

// hopOf is a hop of a record that failed with err.
func hopOf(f Family, err error, attempts int) hop {
	return hop{
		family: f, group: "g", fromMain: attempts == 2, err: err,
		retry: &retryStamp{attempts: attempts, original: 1700000000000, due: time.UnixMilli(1700000001000)},
	}
}

func mainRecord() *kgo.Record {
	return &kgo.Record{
		Topic: "m", Partition: 3, Offset: 42, Timestamp: time.UnixMilli(1700000000000),
		Key: []byte("k"), Value: []byte("v"),
		Headers: []kgo.RecordHeader{
			header("traceparent", []byte("00-1")), header("__TypeId__", []byte("a.B")), header("own", nil),
			header("springDeserializerExceptionValue", []byte{0xac, 0xed}), header("kafka_deliveryAttempt", int32Bytes(1)),
		},
	}
}

func TestHopHeaders(t *testing.T) {
	rec := mainRecord()
	got := Headers(hopOf(FamilyRetry, errors.New("boom"), 2).headers(rec))
	require.Equal(t, []string{
		"traceparent", "__TypeId__", "own",
		"kafka_exception-fqcn", "kafka_exception-cause-fqcn", "kafka_exception-message", "kafka_exception-stacktrace",
		"kafka_original-topic", "kafka_original-partition", "kafka_original-offset", "kafka_original-timestamp", "kafka_original-timestamp-type",
		"kafka_dlt-original-consumer-group",
		"retry_topic-original-timestamp", "retry_topic-attempts", "retry_topic-backoff-timestamp",
	}, headerNames(got))
	for name, want := range map[string]string{
		"kafka_original-topic":              hex.EncodeToString([]byte("m")),
		"kafka_original-partition":          "00000003",
		"kafka_original-offset":             "000000000000002a",
		"kafka_original-timestamp":          "0000018bcfe56800",
		"kafka_original-timestamp-type":     hex.EncodeToString([]byte("CreateTime")),
		"kafka_dlt-original-consumer-group": hex.EncodeToString([]byte("g")),
		"retry_topic-original-timestamp":    "018bcfe56800",
		"retry_topic-attempts":              "00000002",
		"retry_topic-backoff-timestamp":     "018bcfe56be8",
		"kafka_exception-fqcn":              hex.EncodeToString([]byte("errors.errorString")),
		"kafka_exception-message":           hex.EncodeToString([]byte("boom")),
	} {
		require.Equal(t, want, hex.EncodeToString([]byte(got.Text(name))), name)
	}

	plain := hop{family: FamilyDeadLetter, group: "g", fromMain: true, err: errors.New("x"), reason: ReasonPermanent}
	require.Equal(t, []string{
		"traceparent", "__TypeId__", "own",
		"kafka_dlt-exception-fqcn", "kafka_dlt-exception-cause-fqcn", "kafka_dlt-exception-message", "kafka_dlt-exception-stacktrace",
		"kafka_dlt-original-topic", "kafka_dlt-original-partition", "kafka_dlt-original-offset", "kafka_dlt-original-timestamp", "kafka_dlt-original-timestamp-type",
		"kafka_dlt-original-consumer-group", "bote-error-class",
	}, headerNames(plain.headers(rec)))
}

func headerNames(hs []kgo.RecordHeader) []string {
	var out []string
	for _, h := range hs {
		out = append(out, h.Key)
	}
	return out
}

// In twenty hops and five redrives, through both families, the number and size of
// the headers do not grow, and the first origin stays.
func TestHeadersDoNotGrow(t *testing.T) {
	size := func(hs []kgo.RecordHeader) (n int) {
		for _, h := range hs {
			n += len(h.Key) + len(h.Value)
		}
		return n
	}
	rec := mainRecord()
	var after []int
	for redrive := range 5 {
		for i := range 20 {
			h := hopOf(FamilyBoth, fmt.Errorf("failure %02d", i), i+2)
			h.reason, h.firstTier = ReasonExhausted, "m-retry-1000"
			rec.Headers = h.headers(rec)
			rec.Topic, rec.Offset = "m-retry", rec.Offset+1
		}
		after = append(after, size(rec.Headers))
		require.Equal(t, Origin{Topic: "m", Partition: 3, Offset: 42, Timestamp: time.UnixMilli(1700000000000), TimestampType: "CreateTime", Group: "g"}, ReadOrigin(rec))
		rec.Headers = RedriveHeaders(rec.Headers, "01234567", "g", redrive%2 == 0)
		require.Equal(t, redrive+1, RedriveCount(rec.Headers))
		for _, h := range rec.Headers {
			require.False(t, retryHeader(h.Key) || failureHeader(h.Key), h.Key)
		}
	}
	require.Equal(t, after[1], after[3])
	require.Equal(t, after[2], after[4])
}

func TestHopFromMainTakesTheGroupOver(t *testing.T) {
	rec := mainRecord()
	rec.Headers = append(rec.Headers, header(HeaderOriginGroup, []byte("other")))
	first := Headers(hopOf(FamilyRetry, errors.New("x"), 2).headers(rec))
	require.Equal(t, "g", first.Text(HeaderOriginGroup))
	rec.Headers = append(mainRecord().Headers, header(HeaderOriginGroup, []byte("old-name")))
	later := Headers(hopOf(FamilyRetry, errors.New("x"), 3).headers(rec))
	require.Equal(t, "old-name", later.Text(HeaderOriginGroup))
}

func TestFailureTextsAreCut(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	h := Headers(hopOf(FamilyRetry, errors.New(long+"\xff"), 2).headers(mainRecord()))
	msg, stack := h.Text("kafka_exception-message"), h.Text("kafka_exception-stacktrace")
	require.LessOrEqual(t, len(msg), 1024)
	require.Greater(t, len(msg), 1020)
	require.LessOrEqual(t, len(stack), 4096)
	require.True(t, utf8.ValidString(msg))
	require.True(t, utf8.ValidString(stack))
}

// The stack of an error that has none shows all branches of joined errors, without
// the marks.
func TestErrorStack(t *testing.T) {
	joined := errors.Join(Permanent(RetryAfter(&smtpError{550}, time.Second)), fmt.Errorf("close: %w", named{}))
	require.Equal(t, `fmt.wrapError: send: smtp
close: named
Caused by: errors.joinError: smtp
close: named
Caused by: github.com/botehq/bote/delivery.smtpError: smtp
Caused by: fmt.wrapError: close: named
Caused by: github.com/botehq/bote/delivery.named: named
`, errorStack(fmt.Errorf("send: %w", joined)))
}

type smtpError struct{ code int }

func (e *smtpError) Error() string { return "smtp" }

// named is an error that names its own class.
type named struct{}

func (named) Error() string      { return "named" }
func (named) ErrorClass() string { return "orders.Rejected" }

func TestErrorClasses(t *testing.T) {
	inner := &smtpError{550}
	err := Permanent(RetryAfter(fmt.Errorf("send: %w", inner), time.Second))
	require.Equal(t, "github.com/botehq/bote/delivery.smtpError", ErrorClass(err))
	require.Equal(t, "github.com/botehq/bote/delivery.smtpError", rootClass(err))
	joined := errors.Join(inner, errors.New("x"))
	require.Equal(t, "github.com/botehq/bote/delivery.smtpError", rootClass(joined))
	require.Equal(t, "github.com/botehq/bote/delivery.smtpError", ErrorClass(joined))
	require.Equal(t, "github.com/botehq/bote/delivery.smtpError", ErrorClass(fmt.Errorf("%w: %w", ErrHandlerTimeout, inner)))
	require.Equal(t, "errors.errorString", ErrorClass(Permanent(errors.New("x"))))
	require.Equal(t, "fmt.wrapError", ErrorClass(fmt.Errorf("x: %w", errors.New("y"))))
	require.Equal(t, "orders.Rejected", ErrorClass(fmt.Errorf("x: %w", named{})))
	require.Empty(t, ErrorClass(nil))
}

func TestClassify(t *testing.T) {
	boom := errors.New("boom")
	cfg := newConfig([]Option{RetryIf(func(err error) bool { return !errors.Is(err, errSkip) })})
	for _, tc := range []struct {
		name   string
		err    error
		kind   verdictKind
		reason Reason
		after  time.Duration
	}{
		{"nil", nil, verdictDone, "", 0},
		{"plain", boom, verdictRetry, ReasonExhausted, 0},
		{"drop", fmt.Errorf("x: %w", Drop(boom)), verdictDrop, "", 0},
		{"halt", Halt(boom), verdictHalt, "", 0},
		{"retry after", RetryAfter(boom, time.Minute), verdictRetry, ReasonExhausted, time.Minute},
		{"permanent", Permanent(boom), verdictPermanent, ReasonPermanent, 0},
		{"decode", &DecodeError{boom}, verdictPermanent, ReasonDecode, 0},
		{"panic", &PanicError{Value: "x"}, verdictRetry, ReasonPanic, 0},
		{"goexit", ErrGoexit, verdictRetry, ReasonPanic, 0},
		{"timeout", fmt.Errorf("%w: %w", ErrHandlerTimeout, boom), verdictRetry, ReasonTimeout, 0},
		{"not to be retried", errSkip, verdictPermanent, ReasonPermanent, 0},
		{"outermost mark wins", Drop(Permanent(boom)), verdictDrop, "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, verdict{tc.kind, tc.after, tc.reason}, cfg.classify(tc.err))
		})
	}
	for _, mark := range []error{Permanent(nil), Drop(nil), Halt(nil), RetryAfter(nil, 1)} {
		require.NoError(t, mark)
	}
}

var errSkip = errors.New("not worth it")

// With random bytes in every header that is read, nothing panics, and the number of
// attempts left is bounded.
func TestHeaderGarbage(t *testing.T) {
	p := defaultTiers()
	p.attempts = 5
	c, err := newChain("m", &p, &deadLetterPlan{suffix: "-dlt"})
	require.NoError(t, err)
	all := []string{
		HeaderAttempts, HeaderOriginalTimestamp, HeaderBackOffTimestamp, HeaderOriginGroup, HeaderRedriveCount,
		"kafka_original-topic", "kafka_original-partition", "kafka_original-offset", "kafka_original-timestamp",
		"kafka_dlt-original-topic", "kafka_dlt-original-partition", "kafka_exception-fqcn", "kafka_dlt-key-exception-fqcn",
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		rec := mainRecord()
		for range r.IntN(20) {
			v := make([]byte, r.IntN(11))
			for i := range v {
				v[i] = byte(r.Uint32())
			}
			rec.Headers = append(rec.Headers, header(all[r.IntN(len(all))], v))
		}
		ReadOrigin(rec)
		ReadFailure(rec.Headers)
		RestoreBytes(rec)
		now := time.UnixMilli(1700000000000)
		due, _ := readDue(rec.Headers, now, minAhead)
		require.False(t, due.After(now.Add(minAhead)))
		RedriveHeaders(rec.Headers, "id", "g", true)

		hops, topic := 0, "m"
		for {
			at := readAttempts(rec.Headers)
			to, ok := c.next(c.position(topic), at, 0)
			if !ok {
				break
			}
			rec.Headers = hopOf(FamilyRetry, errSkip, at+1).headers(rec)
			topic = to.topic
			hops++
			require.LessOrEqual(t, hops, 5)
		}
	}
}
