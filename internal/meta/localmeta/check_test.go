package localmeta_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/localmeta"
)

// fill writes n entries, each in a transaction of its own, and removes a third of them.
func fill(t *testing.T, name string, n int) []meta.Entry {
	t.Helper()
	s, err := localmeta.Open(name)
	require.NoError(t, err)
	for i := range n {
		_, err := s.Txn(t.Context(), nil, []meta.Op{{Key: fmt.Sprintf("t/topic-%04d", i), Value: fmt.Appendf(nil, `{"id":"%022d","partitions":1,"born":0}`, i)}})
		require.NoError(t, err)
	}
	for i := 0; i < n; i += 3 {
		_, err := s.Txn(t.Context(), nil, []meta.Op{{Key: fmt.Sprintf("t/topic-%04d", i)}})
		require.NoError(t, err)
	}
	all, _, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	return all
}

func TestCheckFindsAllEntries(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 10, 300} {
		name := filepath.Join(t.TempDir(), "meta.db")
		want := fill(t, name, n)
		got, err := localmeta.Check(name)
		require.NoError(t, err)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i], got[i])
		}
	}
}

// TestFlippedBits changes one bit of a file. Then Open and Check either refuse the file or
// find all entries unchanged.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "meta.db")
	want := fill(t, name, 120)
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(7, 7))
	refused := 0
	for range 500 {
		bad := slices.Clone(raw)
		at := rng.IntN(len(bad))
		if rng.IntN(2) == 0 {
			at = at / 4096 * 4096 // the heads of pages are the most sensitive
			at += rng.IntN(256)
		}
		bad[at] ^= 1 << rng.IntN(8)
		require.NoError(t, os.WriteFile(name, bad, 0o600))
		got, err := localmeta.Check(name)
		if err != nil {
			require.ErrorIs(t, err, localmeta.ErrDamaged)
			_, err = localmeta.Open(name)
			require.ErrorIs(t, err, localmeta.ErrDamaged)
			refused++
			continue
		}
		require.Equal(t, want, got, "byte %d", at)
	}
	require.Greater(t, refused, 20)
}

// TestSumsAreAdded opens a file of a release without checksums.
func TestSumsAreAdded(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "meta.db")
	want := fill(t, name, 5)
	db, err := bbolt.Open(name, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("sums")) }))
	require.NoError(t, db.Close())
	got, err := localmeta.Check(name)
	require.NoError(t, err)
	require.Equal(t, want, got)
	s, err := localmeta.Open(name)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	raw, err := os.ReadFile(name)
	require.NoError(t, err)
	at := bytes.LastIndex(raw, []byte(`"partitions":1`))
	raw[at+len(`"partitions":`)] ^= 2
	for more := at; more >= 0; { // the same text in older pages too
		if more = bytes.LastIndex(raw[:more], []byte(`"partitions":1`)); more >= 0 {
			raw[more+len(`"partitions":`)] ^= 2
		}
	}
	require.NoError(t, os.WriteFile(name, raw, 0o600))
	_, err = localmeta.Open(name)
	require.ErrorIs(t, err, localmeta.ErrDamaged)
	require.ErrorContains(t, err, "the checksum of entry")
}
