package delivery

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The vectors in testdata/spring were recorded from Spring services running
// against a real broker. springCase is the part of a file these tests read.
type springCase struct {
	Case       string
	Table      map[string]springPlan
	Deliveries []struct {
		Listener, Group, Topic, Value string
		Partition                     int32
		Offset                        int64
	}
	Records []springRecord
}

type springPlan struct {
	Attempts             int
	Delay, MaxDelay      int64
	Multiplier           float64
	Naming, SameInterval string
	DLT                  string `json:"dlt"`
	Suffixes             []string
}

type springRecord struct {
	Topic         string
	Partition     int32
	Offset        int64
	Timestamp     int64
	TimestampType string
	Writer        string
	Key, Value    springBytes
	Headers       []struct {
		Name string
		springBytes
	}
}

type springBytes struct {
	Hex    *string
	HexCut *string
	Int    *int64
}

func (b springBytes) bytes(t *testing.T) []byte {
	t.Helper()
	s := b.Hex
	if s == nil {
		s = b.HexCut
	}
	if s == nil {
		return nil
	}
	v, err := hex.DecodeString(*s)
	require.NoError(t, err)
	return v
}

func (r springRecord) record(t *testing.T) *kgo.Record {
	t.Helper()
	out := &kgo.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: time.UnixMilli(r.Timestamp),
		Key: r.Key.bytes(t), Value: r.Value.bytes(t),
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, header(h.Name, h.bytes(t)))
	}
	return out
}

// springCases are the recorded cases, by version and name.
func springCases(t *testing.T) map[string]springCase {
	t.Helper()
	files, err := filepath.Glob("testdata/spring/*/*.json")
	require.NoError(t, err)
	require.Greater(t, len(files), 80)
	out := map[string]springCase{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		var c springCase
		require.NoError(t, json.Unmarshal(data, &c), f)
		version := filepath.Base(filepath.Dir(f))
		out[version+"/"+strings.TrimSuffix(filepath.Base(f), ".json")] = c
	}
	return out
}

func TestSpringTopicNames(t *testing.T) {
	cases := springCases(t)
	checked := 0
	for _, version := range []string{"3.3", "4.1"} {
		for name, row := range cases[version+"/names"].Table {
			switch name {
			case "n-random", "n-no-create": // random names; no topics.
				continue
			}
			t.Run(version+"/"+name, func(t *testing.T) {
				require.Equal(t, row.Suffixes, ourSuffixes(t, version, name, row))
			})
			checked++
		}
	}
	require.Equal(t, 48, checked)
}

// ourSuffixes are the topics that bote makes of the options of a Spring listener.
func ourSuffixes(t *testing.T, version, name string, row springPlan) []string {
	t.Helper()
	delay := time.Duration(row.Delay) * time.Millisecond
	opts := []RetryOption{Attempts(row.Attempts), Fixed(delay)}
	if row.Multiplier > 1 {
		limit := time.Duration(row.MaxDelay) * time.Millisecond
		if limit == 0 {
			limit = 365 * 24 * time.Hour
			if version == "3.3" {
				limit = 30 * time.Second // its cap when none is set.
			}
		}
		opts = append(opts, Exponential(delay, row.Multiplier, limit))
	}
	if row.Naming == "SUFFIX_WITH_INDEX_VALUE" {
		opts = append(opts, NameByIndex())
	}
	if row.SameInterval == "MULTIPLE_TOPICS" {
		opts = append(opts, MultipleTopics())
	}
	dl := &deadLetterPlan{suffix: "-dlt"}
	switch name {
	case "n-suffix":
		opts = append(opts, Suffix(".again"))
		dl.suffix = ".dead"
	case "n-route":
		DeadLetterIf("-deserialization", func(error) bool { return true }).applyDeadLetter(dl)
	case "n-no-dlt":
		dl = nil
	}
	p := defaultTiers()
	for _, o := range opts {
		o.applyRetry(&p)
	}
	c, err := newChain("m", &p, dl)
	require.NoError(t, err)
	out := []string{""}
	for _, topic := range append(c.retryTopics(), c.deadLetterTopics()...) {
		out = append(out, strings.TrimPrefix(topic, "m"))
	}
	slices.Sort(out)
	return out
}

// Records of Spring are read as Spring meant them: the last attempts, the due time,
// an origin that is an existing record, and the thrown class.
func TestSpringHeadersAreRead(t *testing.T) {
	read := 0
	for name, c := range springCases(t) {
		odd := strings.Contains(name, "reads-odd")
		byPlace := map[TP]map[int64]springRecord{}
		for _, r := range c.Records {
			tp := TP{r.Topic, r.Partition}
			if byPlace[tp] == nil {
				byPlace[tp] = map[int64]springRecord{}
			}
			byPlace[tp][r.Offset] = r
		}
		for _, r := range c.Records {
			rec := r.record(t)
			h := Headers(rec.Headers)
			checkNumbers(t, name, r, h, odd)
			if !strings.Contains(r.Writer, "DeadLetterPublishingRecoverer") {
				continue
			}
			read++
			f := ReadFailure(h)
			require.NotNil(t, f, name)
			require.NotEqual(t, springWrapper, f.Class, name)
			require.NotEmpty(t, f.Message, name)
			require.NotEmpty(t, f.Stack, name)
			o := ReadOrigin(rec)
			require.NotEmpty(t, o.Group, name)
			require.Equal(t, "CreateTime", o.TimestampType, name)
			if first, ok := byPlace[TP{o.Topic, o.Partition}][o.Offset]; ok {
				key, _, _ := RestoreBytes(first.record(t))
				got, _, _ := RestoreBytes(rec)
				if !strings.Contains(name, "deser") { // a key serialiser changed the others.
					require.Equal(t, key, got, name)
				}
			}
		}
	}
	require.Greater(t, read, 250)
}

// checkNumbers compares the last value of each retry header with the number
// the recorder read, and re-encodes the timestamps to the same bytes.
func checkNumbers(t *testing.T, name string, r springRecord, h Headers, odd bool) {
	t.Helper()
	last := map[string]springBytes{}
	for _, e := range r.Headers {
		last[e.Name] = e.springBytes
	}
	if v, ok := last[HeaderAttempts]; ok && v.Int != nil && !odd {
		require.Equal(t, *v.Int, int64(readAttempts(h)), name)
		require.Equal(t, *v.Hex, hex.EncodeToString(int32Bytes(int32(*v.Int))), name)
	}
	if v, ok := last[HeaderOriginalTimestamp]; ok && v.Int != nil && !odd {
		require.Equal(t, *v.Int, readOriginalTimestamp(h, 0), name)
		require.Equal(t, *v.Hex, hex.EncodeToString(encodeMillis(*v.Int)), name)
	}
	if v, ok := last[HeaderBackOffTimestamp]; ok && v.Int != nil && !odd {
		due, garbage := readDue(h, time.UnixMilli(r.Timestamp), minAhead)
		require.False(t, garbage, name)
		require.Equal(t, *v.Int, due.UnixMilli(), name)
		require.Equal(t, *v.Hex, hex.EncodeToString(encodeMillis(*v.Int)), name)
	}
}

// For every record that Spring forwarded once, bote's hop of the same record writes
// the same header names, and the same bytes unless the value names a Java error.
func TestSpringHeadersAreWritten(t *testing.T) {
	compared := 0
	for name, c := range springCases(t) {
		if strings.Contains(name, "odd") || strings.Contains(name, "deser") || strings.Contains(name, "republish") {
			continue
		}
		for _, r := range c.Records {
			want := r.record(t)
			h := Headers(want.Headers)
			o := ReadOrigin(want)
			src := slices.IndexFunc(c.Records, func(s springRecord) bool {
				return s.Topic == o.Topic && s.Partition == o.Partition && s.Offset == o.Offset && !strings.HasPrefix(s.Writer, "Spring")
			})
			if !strings.Contains(r.Writer, "DeadLetterPublishingRecoverer") || src < 0 || len(ours(h, HeaderOriginGroup)) != 1 {
				continue
			}
			compareHop(t, name, c.Records[src].record(t), want)
			compared++
		}
	}
	require.Greater(t, compared, 60)
}

// ours are all values of one header.
func ours(h Headers, name string) (out [][]byte) {
	for _, e := range h {
		if e.Key == name {
			out = append(out, e.Value)
		}
	}
	return out
}

func compareHop(t *testing.T, name string, src, want *kgo.Record) {
	t.Helper()
	h := Headers(want.Headers)
	p := hop{family: FamilyDeadLetter, group: h.Text(HeaderOriginGroup), fromMain: true, err: errors.New("x")}
	if _, ok := h.Get(HeaderAttempts); ok {
		original, _ := decodeMillis([]byte(h.Text(HeaderOriginalTimestamp)))
		due, _ := decodeMillis([]byte(h.Text(HeaderBackOffTimestamp)))
		p.family = FamilyRetry
		p.retry = &retryStamp{attempts: readAttempts(h), original: original, due: time.UnixMilli(due)}
	}
	got := Headers(p.headers(src))
	require.ElementsMatch(t, distinct(want.Headers), distinct(got), name)
	for _, e := range got {
		if !failureHeader(e.Key) && !strings.HasSuffix(e.Key, "TypeId__") {
			require.Equal(t, hex.EncodeToString([]byte(h.Text(e.Key))), hex.EncodeToString(e.Value), "%s: %s", name, e.Key)
		}
	}
}

func distinct(hs []kgo.RecordHeader) []string {
	out := slices.DeleteFunc(headerNames(hs), strippedHeader) // the headers that bote removes.
	slices.Sort(out)
	return slices.Compact(out)
}

// A Spring service accepted records in bote's format. The bytes that the recorder
// wrote for that are the bytes that this package writes.
func TestSpringReadsBote(t *testing.T) {
	for _, version := range []string{"3.3", "4.1"} {
		c := springCases(t)[version+"/reads-bote"]
		in := c.Records[0].record(t)
		h := Headers(in.Headers)
		src := &kgo.Record{Topic: "from-bote", Timestamp: time.UnixMilli(readOriginalTimestamp(h, 0)), Headers: in.Headers[:2]}
		original, _ := decodeMillis([]byte(h.Text(HeaderOriginalTimestamp)))
		due, _ := decodeMillis([]byte(h.Text(HeaderBackOffTimestamp)))
		p := hop{family: FamilyRetry, group: "g-bote", fromMain: true, err: errors.New("x"), retry: &retryStamp{3, original, time.UnixMilli(due)}}
		got := Headers(p.headers(src))
		require.ElementsMatch(t, headerNames(in.Headers), headerNames(got))
		for _, e := range got {
			if !failureHeader(e.Key) {
				require.Equal(t, h.Text(e.Key), string(e.Value), e.Key)
			}
		}
		require.Equal(t, "g-bote-retry-400", c.Deliveries[0].Group)
		last := c.Records[len(c.Records)-1].record(t)
		require.Equal(t, 6, readAttempts(last.Headers))
		require.Len(t, ours(last.Headers, HeaderMessageID), 1)
	}
}

// Odd headers are read as Spring reads them: if Spring counted the attempts as used
// up, so does bote.
func TestSpringOddHeaders(t *testing.T) {
	p := defaultTiers()
	for _, o := range []RetryOption{Attempts(5), Exponential(200*time.Millisecond, 2, time.Minute)} {
		o.applyRetry(&p)
	}
	c, err := newChain("from-bote", &p, &deadLetterPlan{suffix: "-dlt"})
	require.NoError(t, err)
	checked := 0
	for name, sc := range springCases(t) {
		if !strings.Contains(name, "reads-odd-attempts") || strings.Contains(name, "null") {
			continue // null: Spring redelivers for ever.
		}
		in := sc.Records[0].record(t)
		to, ok := c.next(c.position(in.Topic), readAttempts(in.Headers), 0)
		want := ""
		for _, r := range sc.Records[1:] { // looks for the first one that Spring forwarded.
			if strings.Contains(r.Writer, "DeadLetterPublishingRecoverer") {
				want = r.Topic
				break
			}
		}
		if !ok {
			to.topic = c.dlt
		}
		require.Equal(t, want, to.topic, name)
		checked++
	}
	require.Equal(t, 18, checked)
}

func TestSpringBase64IsUndone(t *testing.T) {
	for _, version := range []string{"3.3", "4.1"} {
		var dead []*kgo.Record
		for _, r := range springCases(t)[version+"/deser"].Records {
			if r.Topic == "deser-dlt" {
				dead = append(dead, r.record(t))
			}
		}
		require.Len(t, dead, 4)
		_, value, restored := RestoreBytes(dead[0])
		require.True(t, restored)
		require.Equal(t, "{oops", string(value))
		key, value, restored := RestoreBytes(dead[1])
		require.True(t, restored)
		require.Equal(t, []byte{0, 0, 1}, key)
		require.JSONEq(t, `{"id":1,"text":"ok"}`, string(value))
		key, value, _ = RestoreBytes(dead[2])
		require.Equal(t, []byte{0, 0, 1}, key)
		require.Equal(t, "{oops", string(value))
		require.True(t, ReadFailure(dead[3].Headers).Key, "the key failed last")
		require.False(t, ReadFailure(dead[0].Headers).Key)
	}
}
