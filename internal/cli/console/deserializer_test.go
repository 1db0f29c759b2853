package console

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/tool"
)

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
		settings := tool.Properties{"value.deserializer": serializationPackage + class}
		got, err := format(t, classDefaultFormatter, settings, &kgo.Record{Value: []byte(c.data)})
		require.NoError(t, err)
		require.Equal(t, c.want+"\n", got)
		_, err = format(t, classDefaultFormatter, settings, &kgo.Record{Value: []byte("odd")})
		require.EqualError(t, err, c.err)
	}
}

func TestDeserializersOfBytesAndBooleans(t *testing.T) {
	s := &tool.Streams{Out: io.Discard, Err: io.Discard}
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
