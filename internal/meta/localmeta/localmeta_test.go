package localmeta_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/localmeta"
	"github.com/botehq/bote/internal/meta/metatest"
)

func TestSuite(t *testing.T) {
	metatest.Run(t, func(t *testing.T) meta.Store {
		t.Helper()
		s, err := localmeta.Open(filepath.Join(t.TempDir(), "meta.db"))
		require.NoError(t, err)
		return s
	})
}

func TestReopen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "meta.db")
	s, err := localmeta.Open(name)
	require.NoError(t, err)
	rev, err := s.Txn(t.Context(), nil, []meta.Op{{Key: "a", Value: []byte("1")}})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	s, err = localmeta.Open(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	e, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, rev, e.Revision)
	next, err := s.Txn(t.Context(), nil, nil)
	require.NoError(t, err)
	require.Greater(t, next, rev)
}

// TestLeasesEndWithTheProcess: the keys of a lease are gone when the file is opened again,
// even if nobody ended the lease.
func TestLeasesEndWithTheProcess(t *testing.T) {
	name := filepath.Join(t.TempDir(), "meta.db")
	s, err := localmeta.Open(name)
	require.NoError(t, err)
	l, err := s.Lease(t.Context(), time.Hour)
	require.NoError(t, err)
	rev, err := s.Txn(t.Context(), nil, []meta.Op{meta.Put("kept", nil), {Key: "leased", Value: []byte("x"), Lease: l.ID()}})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	entries, err := localmeta.Check(name)
	require.NoError(t, err)
	require.Len(t, entries, 2)
	s, err = localmeta.Open(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	entries, after, err := s.List(t.Context(), "", "", 0)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "kept", entries[0].Key)
	require.Greater(t, after, rev)
}
