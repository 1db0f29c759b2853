package codec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/delivery/codec"
)

type order struct {
	ID    string `json:"id"`
	Total int    `json:"total"`
}

func TestJSON(t *testing.T) {
	c := codec.JSON[order]()
	data, err := c.Encode(order{ID: "a", Total: 7})
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"a","total":7}`, string(data))
	got, err := c.Decode(data, nil)
	require.NoError(t, err)
	require.Equal(t, order{ID: "a", Total: 7}, got)
}

func TestJSONRefuses(t *testing.T) {
	long := `"` + strings.Repeat("x", codec.DefaultMaxBytes) + `"`
	for _, tc := range []struct {
		name, in string
		opts     []codec.JSONOption
	}{
		{"empty", "", nil},
		{"not JSON", "{", nil},
		{"wrong type", `{"total":"x"}`, nil},
		{"second value", `{} {}`, nil},
		{"trailing garbage", `{}x`, nil},
		{"unknown field", `{"color":1}`, []codec.JSONOption{codec.DisallowUnknownFields()}},
		{"longer than the option", `{"id":"abcdef"}`, []codec.JSONOption{codec.MaxBytes(8)}},
		{"longer than the default", long, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := codec.JSON[order](tc.opts...).Decode([]byte(tc.in), nil)
			require.Error(t, err)
			require.Zero(t, v)
		})
	}
	var size *codec.SizeError
	_, err := codec.JSON[string]().Decode([]byte(long), nil)
	require.ErrorAs(t, err, &size)
	require.Equal(t, codec.DefaultMaxBytes, size.Max)
}

func TestJSONAcceptsSpaceAndUnknownFields(t *testing.T) {
	v, err := codec.JSON[order]().Decode([]byte(" {\"id\":\"a\",\"color\":1} \n"), nil)
	require.NoError(t, err)
	require.Equal(t, "a", v.ID)
}

func TestRawAndText(t *testing.T) {
	in := []byte{0xff, 0, 1}
	b, err := codec.Raw().Encode(in)
	require.NoError(t, err)
	require.Equal(t, in, b)
	b, err = codec.Raw().Decode(in, nil)
	require.NoError(t, err)
	require.Equal(t, in, b)

	s, err := codec.Text().Decode([]byte("grüezi"), nil)
	require.NoError(t, err)
	require.Equal(t, "grüezi", s)
	b, err = codec.Text().Encode("grüezi")
	require.NoError(t, err)
	require.Equal(t, "grüezi", string(b))
}
