package api

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzNullTopics: nothing that kmsg writes has null topics, as it writes an empty
// array for none; the same bytes with a null in that place have. No bytes make it
// look beyond them.
func FuzzNullTopics(f *testing.F) {
	for version := int16(4); version <= 18; version++ {
		req := kmsg.NewPtrFetchRequest()
		req.SetVersion(version)
		f.Add(version, req.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		nullTopics(version, body)
		req := kmsg.NewPtrFetchRequest()
		if version < 4 || version > 18 {
			return
		}
		req.SetVersion(version)
		if req.ReadFrom(body) != nil {
			return
		}
		plain := req.AppendTo(nil)
		require.False(t, nullTopics(version, plain))
		if len(req.Topics) > 0 {
			return
		}
		none := append([]byte{}, plain...)
		if version >= 12 {
			none[fixedOf(version)] = 0
		} else {
			copy(none[fixedOf(version):], []byte{0xff, 0xff, 0xff, 0xff})
		}
		require.True(t, nullTopics(version, none))
	})
}

// fixedOf is the size of a fetch before its topics: what an empty one has less
// what follows.
func fixedOf(version int16) int {
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(version)
	size := len(req.AppendTo(nil))
	switch {
	case version >= 12:
		return size - 1 - 1 - 1 - 1 // topics, forgotten topics, rack, tags
	case version >= 11:
		return size - 4 - 4 - 2
	case version >= 7:
		return size - 4 - 4
	default:
		return size - 4
	}
}
