package console

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

func lineReaderOf(t *testing.T, in string, settings tool.Properties) *lineReader {
	t.Helper()
	l, err := newLineReader(&tool.Streams{In: strings.NewReader(in), Out: io.Discard, Err: io.Discard}, "t", settings)
	require.NoError(t, err)
	return l
}

func TestLines(t *testing.T) {
	var got []string
	l := lineReaderOf(t, "a\n\n b \tc\r\nlast", tool.Properties{})
	for line := range l.lines(t.Context()) {
		got = append(got, string(line))
	}
	require.NoError(t, l.readError())
	require.Equal(t, []string{"a", "", " b \tc", "last"}, got)
}

func TestLinesEndAsInJava(t *testing.T) {
	for in, want := range map[string][]string{
		"a\rb\r\nc\nd": {"a", "b", "c", "d"}, "\r\r": {"", ""}, "\r\n": {""}, "a\n\rb\r": {"a", "", "b"}, "": nil,
		strings.Repeat("x", 64<<10-1) + "\r\ny": {strings.Repeat("x", 64<<10-1), "y"}, // the buffer ends between \r and \n
	} {
		var got []string
		for line := range lineReaderOf(t, in, tool.Properties{}).lines(t.Context()) {
			got = append(got, string(line))
		}
		require.Equal(t, want, got)
	}
}

func TestLineRecords(t *testing.T) {
	key, headers := tool.Properties{"parse.key": "true"}, tool.Properties{"parse.headers": "TRUE", "parse.key": "true"}
	for name, c := range map[string]struct {
		settings tool.Properties
		line     string
		want     *kgo.Record
		err      string
	}{
		"value":         {tool.Properties{}, "a\tb", &kgo.Record{Value: []byte("a\tb")}, ""},
		"empty":         {tool.Properties{}, "", &kgo.Record{Value: []byte{}}, ""},
		"key":           {key, "k\tv\tmore", &kgo.Record{Key: []byte("k"), Value: []byte("v\tmore")}, ""},
		"empty key":     {key, "\tv", &kgo.Record{Key: []byte{}, Value: []byte("v")}, ""},
		"no key":        {key, "v", nil, "No key separator found on line number 1: 'v'"},
		"ignored":       {tool.Properties{"parse.key": "true", "ignore.error": "true"}, "v", &kgo.Record{Value: []byte("v")}, ""},
		"headers":       {headers, "a:1,b:\tk\tv", &kgo.Record{Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{}}}}, ""},
		"no headers":    {headers, "x", nil, "No headers delimiter found on line number 1: 'x'"},
		"bad header":    {headers, "a,b:1\tk\tv", nil, "No header key separator found in pair 'a' on line number 1"},
		"null marker":   {tool.Properties{"parse.key": "true", "null.marker": "NUL"}, "NUL\tNUL", &kgo.Record{}, ""},
		"null headers":  {tool.Properties{"parse.headers": "true", "null.marker": "NUL"}, "NUL\tv", &kgo.Record{Value: []byte("v")}, ""},
		"null header":   {tool.Properties{"parse.headers": "true", "null.marker": "NUL"}, "a:NUL\tv", &kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a"}}}, ""},
		"null name":     {tool.Properties{"parse.headers": "true", "null.marker": "NUL"}, "NUL:1\tv", nil, "Header keys should not be equal to the null marker 'NUL' as they can't be null"},
		"regex headers": {tool.Properties{"parse.headers": "true", "headers.separator": "[;&]"}, "a:1;b:2&c:3\tv", &kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}, {Key: "c", Value: []byte("3")}}}, ""},
		"possessive":    {tool.Properties{"parse.headers": "true", "headers.separator": `\s++`, "headers.delimiter": "#"}, "a:1 \tb:2#v", &kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}}, ""},
		"lookahead":     {tool.Properties{"parse.headers": "true", "headers.separator": "(?=b)"}, "a:1b:2\tv", &kgo.Record{Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}}, ""},
		"separators":    {tool.Properties{"parse.headers": "true"}, ",,\tv", &kgo.Record{Value: []byte("v")}, ""},
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
	_, err := newLineReader(&tool.Streams{In: strings.NewReader("")}, "t", tool.Properties{"key.separator": "x", "null.marker": "x"})
	require.EqualError(t, err, "null.marker and key.separator may not be equal")
	_, err = newLineReader(&tool.Streams{In: strings.NewReader("")}, "t", tool.Properties{"headers.separator": "[", "headers.delimiter": "["})
	require.EqualError(t, err, "Unclosed character class\n[")
	x, ok := errors.AsType[*exception.Error](err)
	require.True(t, ok)
	require.Equal(t, "java.util.regex.PatternSyntaxException", x.Class)
}
