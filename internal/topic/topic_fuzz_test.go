package topic_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/topic"
)

// FuzzParseID: an ID that was parsed has a text form that parses to the same ID.
func FuzzParseID(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAQ")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := topic.ParseID(s)
		if err != nil {
			return
		}
		again, err := topic.ParseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}
