// Package localmeta keeps a meta.Store in one bbolt file, for one broker. A
// transaction is on disk when it returns.
//
// A lease ends with the process that has the file open, at the latest: Open deletes all
// keys that belong to a lease.
//
// The file has a bucket "meta". Its values are the revision as 8 bytes big-endian,
// then the entry's value. The bucket's sequence is the last revision. A second bucket,
// "sums", has a checksum of each entry, which Open compares. A third, "leases", has the
// lease of each key that has one. See docs/formats/meta.md.
package localmeta

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/token"
)

var (
	bucketName = []byte("meta")
	sumsName   = []byte("sums")
	leasesName = []byte("leases")
)

// sum returns the checksum of an entry.
func sum(key, raw []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	return binary.BigEndian.AppendUint32(nil, crc32.Update(crc32.Checksum(key, table), table, raw))
}

// Store is the store in a file.
type Store struct {
	db     *bbolt.DB
	feed   *meta.Feed
	leases *meta.Leases
	// turn is the token of a goroutine that changes something. It is held across the sync
	// and Publish, so that changes are published in the order of their revisions.
	turn token.Token
}

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

// Open opens or creates the file. It refuses a file that is damaged, see [ErrDamaged].
func Open(name string) (*Store, error) {
	if err := verifyFile(name); err != nil {
		return nil, fmt.Errorf("open %s: %w; restore it from a copy", name, err)
	}
	db, err := bbolt.Open(name, 0o640, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	var revision int64
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := prepare(tx)
		if err == nil {
			revision, err = endOldLeases(tx)
		}
		if err == nil && revision == 0 {
			revision = int64(b.Sequence())
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", name, err), db.Close())
	}
	s := &Store{db: db, feed: meta.NewFeed(revision), turn: token.New("transaction of the metadata store")}
	s.leases = meta.NewLeases(meta.LeaseID(revision), s.endLease)
	return s, nil
}

// prepare creates the buckets for entries and checksums if they are missing, and computes
// the checksums of a file that has none.
func prepare(tx *bbolt.Tx) (*bbolt.Bucket, error) {
	b, err := tx.CreateBucketIfNotExists(bucketName)
	if err != nil || tx.Bucket(sumsName) != nil {
		return b, err
	}
	sums, err := tx.CreateBucket(sumsName)
	if err != nil {
		return nil, err
	}
	return b, b.ForEach(func(k, v []byte) error { return sums.Put(k, sum(k, v)) })
}

// endOldLeases deletes the keys that belong to leases of an earlier process. It returns the
// new revision, or 0 if there were none.
func endOldLeases(tx *bbolt.Tx) (revision int64, err error) {
	leases := tx.Bucket(leasesName)
	if leases == nil {
		return 0, nil
	}
	var ops []meta.Op
	err = leases.ForEach(func(k, _ []byte) error {
		ops = append(ops, meta.Delete(string(k)))
		return nil
	})
	if err != nil || len(ops) == 0 {
		return 0, err
	}
	revision, _, err = applyAll(tx, ops)
	return revision, err
}

const revisionSize = 8

func entry(key, raw []byte) (meta.Entry, error) {
	if len(raw) < revisionSize {
		return meta.Entry{}, fmt.Errorf("entry %q has %d bytes", key, len(raw))
	}
	return meta.Entry{Key: string(key), Value: slices.Clone(raw[revisionSize:]), Revision: int64(binary.BigEndian.Uint64(raw))}, nil
}

// Get returns one entry.
func (s *Store) Get(ctx context.Context, key string) (e meta.Entry, err error) {
	if err := ctx.Err(); err != nil {
		return e, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		raw := tx.Bucket(bucketName).Get([]byte(key))
		if raw == nil {
			return meta.ErrNotFound
		}
		e, err = entry([]byte(key), raw)
		return err
	})
	return e, asMetaError(err)
}

// List returns entries in key order.
func (s *Store) List(ctx context.Context, prefix, after string, n int) (out []meta.Entry, revision int64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketName)
		revision = int64(b.Sequence())
		c := b.Cursor()
		for k, v := c.Seek([]byte(max(prefix, after))); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
			if string(k) <= after {
				continue
			}
			e, err := entry(k, v)
			if err != nil {
				return err
			}
			if out = append(out, e); len(out) == n {
				return nil
			}
		}
		return nil
	})
	return out, revision, asMetaError(err)
}

// Txn applies the operations if the conditions hold.
func (s *Store) Txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (int64, error) {
	if err := meta.CheckSize(conds, ops); err != nil {
		return 0, err
	}
	return s.update(ctx, func(tx *bbolt.Tx) ([]meta.Op, error) {
		b := tx.Bucket(bucketName)
		for _, c := range conds {
			if revisionOf(b.Get([]byte(c.Key))) != c.Revision {
				return nil, meta.ErrConflict
			}
		}
		for _, op := range ops {
			if op.Lease != 0 && !s.leases.Alive(op.Lease) {
				return nil, meta.ErrLeaseEnded
			}
		}
		return ops, nil
	})
}

// errNothing is returned by a decide function of update that wants to change nothing.
var errNothing = errors.New("nothing to be done")

// update applies the operations that decide returns, in the same transaction. If the
// commit fails, the outcome is unclear: the meta page may have been written.
func (s *Store) update(ctx context.Context, decide func(tx *bbolt.Tx) ([]meta.Op, error)) (revision int64, err error) {
	if err := s.turn.TakeContext(ctx); err != nil {
		return 0, err //nolint:wrapcheck // it is the context's
	}
	defer s.turn.Give()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var events []meta.Event
	applied := false
	err = s.db.Update(func(tx *bbolt.Tx) error {
		ops, err := decide(tx)
		if err == nil {
			revision, events, err = applyAll(tx, ops)
		}
		applied = err == nil
		return err
	})
	switch {
	case err == nil:
		s.feed.Publish(revision, events)
		return revision, nil
	case applied:
		s.feed.Lost()
		return 0, fmt.Errorf("%w: %w", meta.ErrUnclear, asMetaError(err))
	default:
		return 0, asMetaError(err)
	}
}

// applyAll applies operations as one transaction.
func applyAll(tx *bbolt.Tx, ops []meta.Op) (revision int64, events []meta.Event, err error) {
	next, err := tx.Bucket(bucketName).NextSequence()
	if err != nil {
		return 0, nil, err
	}
	a := applying{tx: tx, entries: tx.Bucket(bucketName), sums: tx.Bucket(sumsName), leases: tx.Bucket(leasesName), revision: int64(next)}
	for _, op := range ops {
		if err := a.apply(op); err != nil {
			return 0, nil, err
		}
	}
	return a.revision, a.events, nil
}

func revisionOf(raw []byte) int64 {
	if len(raw) < revisionSize {
		return 0
	}
	return int64(binary.BigEndian.Uint64(raw))
}

// applying applies the operations of one transaction to the buckets.
type applying struct {
	tx            *bbolt.Tx
	entries, sums *bbolt.Bucket
	leases        *bbolt.Bucket // nil until a key has a lease
	revision      int64
	events        []meta.Event
}

func (a *applying) apply(op meta.Op) error {
	switch {
	case op.Prefix:
		return a.deletePrefix([]byte(op.Key))
	case op.Value == nil:
		return a.delete([]byte(op.Key))
	}
	key := []byte(op.Key)
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, revisionSize+len(op.Value)), uint64(a.revision))
	raw = append(raw, op.Value...)
	a.events = append(a.events, meta.Event{Entry: meta.Entry{Key: op.Key, Value: slices.Clone(op.Value), Revision: a.revision}})
	return errors.Join(a.entries.Put(key, raw), a.sums.Put(key, sum(key, raw)), a.bind(key, op.Lease))
}

// bind makes a key belong to a lease, or to none if id is 0.
func (a *applying) bind(key []byte, id meta.LeaseID) (err error) {
	if id == 0 {
		if a.leases == nil {
			return nil
		}
		return a.leases.Delete(key)
	}
	if a.leases == nil {
		if a.leases, err = a.tx.CreateBucket(leasesName); err != nil {
			return err
		}
	}
	return a.leases.Put(key, binary.BigEndian.AppendUint64(nil, uint64(id)))
}

func (a *applying) deletePrefix(prefix []byte) error {
	var keys [][]byte // collected first: a cursor may miss keys while the bucket changes
	c := a.entries.Cursor()
	for k, _ := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, slices.Clone(k))
	}
	for _, k := range keys {
		if err := a.delete(k); err != nil {
			return err
		}
	}
	return nil
}

func (a *applying) delete(key []byte) error {
	if a.entries.Get(key) == nil {
		return nil
	}
	a.events = append(a.events, meta.Event{Entry: meta.Entry{Key: string(key), Revision: a.revision}, Deleted: true})
	return errors.Join(a.entries.Delete(key), a.sums.Delete(key), a.bind(key, 0))
}

// Watch reports changes.
func (s *Store) Watch(ctx context.Context, prefix string, from int64) (meta.Events, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.feed.Watch(prefix, from), nil
}

// Lease begins a lease.
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (meta.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.leases.Begin(ttl)
}

// endLease deletes the keys that belong to a lease.
func (s *Store) endLease(ctx context.Context, id meta.LeaseID) error {
	_, err := s.update(ctx, func(tx *bbolt.Tx) (ops []meta.Op, err error) {
		if leases := tx.Bucket(leasesName); leases != nil {
			err = leases.ForEach(func(k, v []byte) error {
				if len(v) == revisionSize && meta.LeaseID(binary.BigEndian.Uint64(v)) == id {
					ops = append(ops, meta.Delete(string(k)))
				}
				return nil
			})
		}
		if err == nil && len(ops) == 0 {
			err = errNothing
		}
		return ops, err
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// Close closes the file. Keys that belong to leases are deleted when it is opened again.
func (s *Store) Close() error {
	s.leases.Close()
	s.feed.Close()
	return s.db.Close()
}

func asMetaError(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return meta.ErrClosed
	}
	return err
}
