package codec_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery/codec"
)

// FuzzJSON: a decoded value is the same after encoding and decoding it again.
// Data that is refused leaves the zero value.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"id":"a","total":7}`))
	f.Add([]byte(`{"id":"\ud800"} {}`))
	c := codec.JSON[order](codec.MaxBytes(1 << 12))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := c.Decode(data, nil)
		if err != nil {
			require.Zero(t, v)
			return
		}
		again, err := c.Encode(v)
		require.NoError(t, err)
		if len(again) > 1<<12 {
			return
		}
		v2, err := c.Decode(again, nil)
		require.NoError(t, err)
		require.Equal(t, v, v2)
	})
}
