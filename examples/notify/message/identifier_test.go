package message_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/examples/notify/message"
)

// An order has the JSON that a Spring service with Long IDs writes and reads. IDs as
// text are read too.
func TestOrderAsSpringHasIt(t *testing.T) {
	t.Parallel()
	const spring = `{"orderId":1,"userId":9007199254740993,"amount":15000,"email":"buyer@example.com"}`
	for _, in := range []string{
		spring,
		`{"orderId":"1","userId":"9007199254740993","amount":15000,"email":"buyer@example.com"}`,
	} {
		var o message.Order
		require.NoError(t, json.Unmarshal([]byte(in), &o))
		require.Equal(t, message.Order{OrderID: "1", UserID: "9007199254740993", Amount: 15000, Email: "buyer@example.com"}, o)
		out, err := json.Marshal(o)
		require.NoError(t, err)
		require.JSONEq(t, spring, string(out))
	}
	for in, want := range map[string]string{
		`"01a2-uuid"`: `"01a2-uuid"`, `"007"`: `"007"`, `null`: `""`, `-3`: `-3`, `"99999999999999999999"`: `"99999999999999999999"`,
	} {
		var i message.Identifier
		require.NoError(t, json.Unmarshal([]byte(in), &i), in)
		out, err := json.Marshal(i)
		require.NoError(t, err)
		require.Equal(t, want, string(out))
	}
	for _, in := range []string{`1.5`, `{}`, `true`} {
		var i message.Identifier
		require.Error(t, json.Unmarshal([]byte(in), &i), in)
	}
}
