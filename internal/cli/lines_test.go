package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func lineReaderOf(t *testing.T, in string, settings properties) *lineReader {
	t.Helper()
	l, err := newLineReader(&streams{in: strings.NewReader(in), out: io.Discard, err: io.Discard}, "t", settings)
	require.NoError(t, err)
	return l
}

func TestLines(t *testing.T) {
	var got []string
	l := lineReaderOf(t, "a\n\n b \tc\r\nlast", properties{})
	for line := range l.lines(t.Context()) {
		got = append(got, string(line))
	}
	require.NoError(t, l.readError())
	require.Equal(t, []string{"a", "", " b \tc", "last"}, got)
}

func TestLineRecords(t *testing.T) {
	key, headers := properties{"parse.key": "true"}, properties{"parse.headers": "TRUE", "parse.key": "true"}
	for name, c := range map[string]struct {
		settings properties
		line     string
		want     *kgo.Record
		err      string
	}{
		"value":         {properties{}, "a\tb", &kgo.Record{Value: []byte("a\tb")}, ""},
		"empty":         {properties{}, "", &kgo.Record{Value: []byte{}}, ""},
		"key":           {key, "k\tv\tmore", &kgo.Record{Key: []byte("k"), Value: []byte("v\tmore")}, ""},
		"empty key":     {key, "\tv", &kgo.Record{Key: []byte{}, Value: []byte("v")}, ""},
		"no key":        {key, "v", nil, "No key separator found on line number 1: 'v'"},
		"ignored":       {properties{"parse.key": "true", "ignore.error": "true"}, "v", &kgo.Record{Value: []byte("v")}, ""},
		"headers":       {headers, "a:1,b:\tk\tv", &kgo.Record{Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{}}}}, ""},
		"no headers":    {headers, "x", nil, "No headers delimiter found on line number 1: 'x'"},
		"bad header":    {headers, "a,b:1\tk\tv", nil, "No header key separator found in pair 'a' on line number 1"},
		"null marker":   {properties{"parse.key": "true", "null.marker": "NUL"}, "NUL\tNUL", &kgo.Record{}, ""},
		"null headers":  {properties{"parse.headers": "true", "null.marker": "NUL"}, "NUL\tv", &kgo.Record{Value: []byte("v")}, ""},
		"null header":   {properties{"parse.headers": "true", "null.marker": "NUL"}, "a:NUL\tv", &kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a"}}}, ""},
		"null name":     {properties{"parse.headers": "true", "null.marker": "NUL"}, "NUL:1\tv", nil, "Header keys should not be equal to the null marker 'NUL' as they can't be null"},
		"regex headers": {properties{"parse.headers": "true", "headers.separator": "[;&]"}, "a:1;b:2&c:3\tv", &kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}, {Key: "c", Value: []byte("3")}}}, ""},
		"possessive":    {properties{"parse.headers": "true", "headers.separator": `\s++`, "headers.delimiter": "#"}, "a:1 \tb:2#v", &kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}}, ""},
		"lookahead":     {properties{"parse.headers": "true", "headers.separator": "(?=b)"}, "a:1b:2\tv", &kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}}, ""},
		"separators":    {properties{"parse.headers": "true"}, ",,\tv", &kgo.Record{Value: []byte("v")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := lineReaderOf(t, "", c.settings).record([]byte(c.line))
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			c.want.Topic = "t"
			require.Equal(t, c.want, got)
		})
	}
	_, err := newLineReader(&streams{in: strings.NewReader("")}, "t", properties{"key.separator": "x", "null.marker": "x"})
	require.EqualError(t, err, "null.marker and key.separator may not be equal")
	_, err = newLineReader(&streams{in: strings.NewReader("")}, "t", properties{"headers.separator": "[", "headers.delimiter": "["})
	require.EqualError(t, err, "Unclosed character class\n[")
	x, ok := errors.AsType[*exception](err)
	require.True(t, ok)
	require.Equal(t, "java.util.regex.PatternSyntaxException", x.class)
}

func TestSerializedSize(t *testing.T) {
	require.Equal(t, 2000088, serializedSize(&kgo.Record{Value: make([]byte, 2_000_000)}))
}

func format(t *testing.T, class string, settings properties, recs ...*kgo.Record) (string, error) {
	t.Helper()
	f, ok := newFormatter(&streams{out: io.Discard, err: io.Discard}, class, settings)
	require.True(t, ok)
	var b bytes.Buffer
	var err error
	for _, rec := range recs {
		err = errors.Join(err, f.write(&b, rec))
	}
	return b.String(), err
}

func TestDefaultFormatter(t *testing.T) {
	rec := &kgo.Record{
		Partition: 2, Offset: 42, Timestamp: time.UnixMilli(1700000000000), Key: []byte("k"), Value: []byte("v"),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}},
	}
	all := properties{"print.timestamp": "true", "print.partition": "true", "print.offset": "true", "print.delivery": "true", "print.epoch": "true", "print.headers": "true", "print.key": "true"}
	for name, c := range map[string]struct {
		settings properties
		want     string
	}{
		"value":      {properties{}, "v\n"},
		"all":        {all, "CreateTime:1700000000000\tPartition:2\tOffset:42\tDelivery:NOT_PRESENT\tEpoch:NOT_PRESENT\ta:1,b:null\tk\tv\n"},
		"separators": {properties{"print.key": "true", "key.separator": " | ", "line.separator": ";"}, "k | v;"},
		"no value":   {properties{"print.value": "false", "print.key": "true"}, "k\n"},
		"not true":   {properties{"print.key": "yes"}, "v\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := format(t, classDefaultFormatter, c.settings, rec)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	got, err := format(t, classDefaultFormatter, properties{"print.key": "true", "print.headers": "true", "null.literal": "NIL"}, &kgo.Record{})
	require.NoError(t, err)
	require.Equal(t, "NO_HEADERS\tNIL\tNIL\n", got)
}

func TestDeserializers(t *testing.T) {
	for class, c := range map[string]struct {
		data      string
		want, err string
	}{
		"IntegerDeserializer": {"\xff\xff\xff\xfe", "-2", "Size of data received by IntegerDeserializer is not 4"},
		"LongDeserializer":    {"12345678", "3544952156018063160", "Size of data received by LongDeserializer is not 8"},
		"ShortDeserializer":   {"\x01\x00", "256", "Size of data received by ShortDeserializer is not 2"},
		"FloatDeserializer":   {"\x3f\x80\x00\x00", "1.0", "Size of data received by Deserializer is not 4"},
		"DoubleDeserializer":  {"\x40\x09\x21\xfb\x54\x44\x2d\x18", "3.141592653589793", "Size of data received by Deserializer is not 8"},
		"UUIDDeserializer":    {"0190A3B2-0000-7000-8000-000000000001", "0190a3b2-0000-7000-8000-000000000001", "Error parsing data into UUID"},
	} {
		settings := properties{"value.deserializer": serializationPackage + class}
		got, err := format(t, classDefaultFormatter, settings, &kgo.Record{Value: []byte(c.data)})
		require.NoError(t, err)
		require.Equal(t, c.want+"\n", got)
		_, err = format(t, classDefaultFormatter, settings, &kgo.Record{Value: []byte("odd")})
		require.EqualError(t, err, c.err)
	}
}

func TestCoordinatorFormatters(t *testing.T) {
	key := kmsg.OffsetCommitKey{Version: 1, Group: "g<", Topic: "t", Partition: 3}
	value := kmsg.OffsetCommitValue{Version: 3, Offset: 5, LeaderEpoch: -1, Metadata: "m", CommitTimestamp: 7}
	got, err := format(t, classOffsetsFormatter, nil,
		&kgo.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)},
		&kgo.Record{Key: key.AppendTo(nil)},
		&kgo.Record{Key: []byte{0, 2}, Value: []byte{1}})
	require.NoError(t, err)
	want := `{"key":{"type":1,"data":{"group":"g<","topic":"t","partition":3}},"value":{"version":3,"data":{"offset":5,"leaderEpoch":-1,"metadata":"m","commitTimestamp":7}}}` +
		`{"key":{"type":1,"data":{"group":"g<","topic":"t","partition":3}},"value":null}`
	require.Equal(t, want, got)
}

func TestLinesEndAsInJava(t *testing.T) {
	for in, want := range map[string][]string{
		"a\rb\r\nc\nd": {"a", "b", "c", "d"}, "\r\r": {"", ""}, "\r\n": {""}, "a\n\rb\r": {"a", "", "b"}, "": nil,
		strings.Repeat("x", 64<<10-1) + "\r\ny": {strings.Repeat("x", 64<<10-1), "y"}, // the buffer ends between the two
	} {
		var got []string
		for line := range lineReaderOf(t, in, properties{}).lines(t.Context()) {
			got = append(got, string(line))
		}
		require.Equal(t, want, got)
	}
}

func TestDeserializersOfBytesAndBooleans(t *testing.T) {
	s := &streams{out: io.Discard, err: io.Discard}
	for _, c := range []struct{ class, data, want, err string }{
		{"BytesDeserializer", "\xef\xbba\\~", `\xEF\xBBa\x5C~`, ""},
		{"BooleanDeserializer", "\x01", "true", ""},
		{"BooleanDeserializer", "\x00", "false", ""},
		{"BooleanDeserializer", "\x02", "", "Unexpected byte received by BooleanDeserializer: 2"},
		{"BooleanDeserializer", "", "", "Size of data received by BooleanDeserializer is not 1"},
		{"ByteBufferDeserializer", "abc", "java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]", ""},
	} {
		got, err := newDeserializer(s, serializationPackage+c.class)(nil, []byte(c.data))
		if c.err != "" {
			require.EqualError(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, string(got))
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT5H": 5 * time.Hour, "pt5h": 5 * time.Hour, "P1DT1M1.5S": 24*time.Hour + time.Minute + 1500*time.Millisecond,
		"-PT1S": -time.Second, "PT-1.5S": -1500 * time.Millisecond, "P106751D": 106751 * 24 * time.Hour,
	} {
		got, err := isoDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "P", "PT", "5h", "P106752D", "PT99999999999999999999S", "P9223372036854775807D"} {
		_, err := isoDuration(text)
		require.Error(t, err, text)
	}
	for _, text := range []string{"2024-01-01T00:00:00.000+02", "2024-01-01T00:00:00+02", "2024-01-01T00:00:00.000+02:00"} {
		at, err := parseDateTime(text)
		require.NoError(t, err, text)
		require.Equal(t, "2023-12-31T22:00:00Z", at.UTC().Format(time.RFC3339))
	}
}

// TestInterruptedToolsAreSilent: nobody needs to be told of their own Ctrl-C.
func TestInterruptedToolsAreSilent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, line := range []string{
		"kafka-topics --list --bootstrap-server localhost:1", "kafka-consumer-groups --list --bootstrap-server localhost:1",
		"kafka-get-offsets --topic t --bootstrap-server localhost:1", "kafka-configs --describe --entity-type topics --bootstrap-server localhost:1",
		"kafka-groups --list --bootstrap-server localhost:1", "kafka-log-dirs --describe --bootstrap-server localhost:1",
	} {
		var out, errs bytes.Buffer
		require.Equal(t, exitInterrupted, Main(ctx, strings.Fields(line), strings.NewReader(""), &out, &errs), line)
		require.NotContains(t, out.String()+errs.String(), "nterrupted", line)
		require.NotContains(t, out.String()+errs.String(), "Error", line)
	}
}
