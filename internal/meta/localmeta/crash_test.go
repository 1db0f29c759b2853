package localmeta

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/meta"
)

// tape records the writes of a transaction. bbolt has no seam for this, so the test
// replaces its unexported write function by reflection.
type tape struct{ writes []write }

type write struct {
	at   int64
	data []byte
}

func record(s *Store) *tape {
	t := &tape{}
	db := reflect.ValueOf(s.db).Elem()
	field := db.FieldByName("ops").FieldByName("writeAt")
	at := (*func([]byte, int64) (int, error))(unsafe.Pointer(field.UnsafeAddr())) //nolint:gosec // see above
	through := *at
	*at = func(p []byte, off int64) (int, error) {
		t.writes = append(t.writes, write{off, bytes.Clone(p)})
		return through(p, off)
	}
	return t
}

// state returns a text with all entries of a store.
func state(t *testing.T, name string) string {
	t.Helper()
	s, err := Open(name)
	require.NoError(t, err, "what a crash leaves can be opened")
	defer func() { require.NoError(t, s.Close()) }()
	entries, _, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	var out bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&out, "%s=%d/%x\n", e.Key, e.Revision, e.Value)
	}
	return out.String()
}

const sector = 512

// torn returns the file after a power cut during write n of a transaction. The last write
// is the meta page. All other pages are synced before it, so they are whole if the power
// is cut during the last write. Otherwise only some sectors of the writes up to n are
// there.
func torn(before []byte, writes []write, n int, rng *rand.Rand) []byte {
	after := bytes.Clone(before)
	for i, w := range writes[:n+1] {
		whole := i < n && n == len(writes)-1 // the meta page is being written, so all others are synced
		if end := int(w.at) + len(w.data); end > len(after) {
			after = append(after, make([]byte, end-len(after))...)
		}
		for at := 0; at < len(w.data); at += sector {
			if whole || rng.IntN(2) == 0 {
				copy(after[int(w.at)+at:], w.data[at:min(at+sector, len(w.data))])
			}
		}
	}
	return after
}

// TestTornCommit cuts the power during each write of transactions of all kinds. The
// store is then as before the transaction or as after it.
func TestTornCommit(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "meta.db")
	s, err := Open(name)
	require.NoError(t, err)
	tape := record(s)
	rng := rand.New(rand.NewPCG(1, 2))
	points, olds, news := 0, 0, 0
	left := func(content []byte) string {
		points++
		copied := filepath.Join(dir, fmt.Sprintf("%d.db", points))
		require.NoError(t, os.WriteFile(copied, content, 0o600))
		defer func() { require.NoError(t, os.Remove(copied)) }()
		return state(t, copied)
	}
	for i := range 40 {
		before, err := os.ReadFile(name)
		require.NoError(t, err)
		tape.writes = nil
		_, err = s.Txn(t.Context(), nil, someOps(i, rng))
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(tape.writes), 2, "pages, then the meta page")
		now, err := os.ReadFile(name)
		require.NoError(t, err)
		was, is := left(before), left(now)
		for n := range tape.writes {
			for range 4 {
				switch left(torn(before, tape.writes, n, rng)) {
				case is:
					news++
				case was:
					olds++
				default:
					t.Fatalf("transaction %d, write %d of %d: neither the old state nor the new", i, n+1, len(tape.writes))
				}
			}
		}
	}
	require.NoError(t, s.Close())
	require.Positive(t, olds)
	require.Positive(t, news)
	t.Logf("%d torn files: the old state %d times, the new one %d times", olds+news, olds, news)
}

// someOps returns operations that write or delete a few keys.
func someOps(i int, rng *rand.Rand) (ops []meta.Op) {
	for range 1 + i%4 {
		op := meta.Op{Key: fmt.Sprintf("t/%d", rng.IntN(60)), Value: bytes.Repeat([]byte{byte(i)}, rng.IntN(1500)+1)}
		if i%5 == 4 {
			op.Value = nil
		}
		ops = append(ops, op)
	}
	return ops
}
