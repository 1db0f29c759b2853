package compat

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKcat runs what people type with kcat.
func TestKcat(t *testing.T) {
	needCompat(t)
	install(t, "kcat")
	onEach(t, nil, func(t *testing.T, b broker) {
		cl := client(t, b)
		createTopic(t, cl, "kcat", 1)
		kcat := func(t *testing.T, stdin string, args ...string) string {
			t.Helper()
			r := run(t, program{args: append([]string{"kcat", "-b", b.addr}, args...), stdin: stdin})
			require.Zero(t, r.code, r.err)
			return r.out
		}
		t.Run("produce", func(t *testing.T) {
			for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
				kcat(t, codec+":1\n"+codec+":2\n", "-P", "-t", "kcat", "-K", ":", "-z", codec, "-H", "codec="+codec)
			}
		})
		t.Run("consume", func(t *testing.T) {
			out := kcat(t, "", "-C", "-t", "kcat", "-o", "beginning", "-e", "-q", "-f", `%o %k %s %h\n`)
			var want strings.Builder
			for i, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
				want.WriteString(string(rune('0'+2*i)) + " " + codec + " 1 codec=" + codec + "\n")
				want.WriteString(string(rune('1'+2*i)) + " " + codec + " 2 codec=" + codec + "\n")
			}
			require.Equal(t, want.String(), out)
		})
		t.Run("last-two", func(t *testing.T) {
			require.Equal(t, "1\n2\n", kcat(t, "", "-C", "-t", "kcat", "-o", "-2", "-e", "-q"))
		})
		t.Run("group", func(t *testing.T) {
			out := kcat(t, "", "-q", "-X", "auto.offset.reset=earliest", "-c", "10", "-G", "kcat-group", "kcat")
			require.Equal(t, strings.Repeat("1\n2\n", 5), out)
		})
		t.Run("offsets-by-time", func(t *testing.T) {
			createTopic(t, cl, "kcat-times", 1)
			fill(t, cl, "kcat-times", 5)
			require.Equal(t, "kcat-times [0] offset 2\n", kcat(t, "", "-Q", "-t", "kcat-times:0:1700000001500"))
		})
		t.Run("metadata", func(t *testing.T) {
			out := kcat(t, "", "-L", "-t", "kcat")
			require.Contains(t, out, "broker 1 at "+b.addr+" (controller)")
			require.Contains(t, out, `topic "kcat" with 1 partitions:`)
			require.Contains(t, out, "partition 0, leader 1, replicas: 1, isrs: 1")
		})
	})
}
