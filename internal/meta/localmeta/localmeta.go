// Package localmeta keeps a meta.Store in one bbolt file, for one broker. A
// transaction is on disk when it returns.
//
// The file has one bucket, "meta"; a value is the revision as 8 bytes big-endian,
// then the bytes. The bucket's sequence is the last revision. A second bucket, "sums",
// has a checksum of each entry, which is compared when the file is opened. See
// docs/formats/meta.md.
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
)

var (
	bucketName = []byte("meta")
	sumsName   = []byte("sums")
)

// sum is the checksum of an entry.
func sum(key, raw []byte) []byte {
	table := crc32.MakeTable(crc32.Castagnoli)
	return binary.BigEndian.AppendUint32(nil, crc32.Update(crc32.Checksum(key, table), table, raw))
}

// Store is the store in a file.
type Store struct{ db *bbolt.DB }

// lockWait is how long Open waits for another process to let go of the file.
const lockWait = time.Second

// Open opens or creates the file. One that is damaged is refused, see [ErrDamaged].
func Open(name string) (*Store, error) {
	if err := verifyFile(name); err != nil {
		return nil, fmt.Errorf("open %s: %w; restore it from a copy", name, err)
	}
	db, err := bbolt.Open(name, 0o640, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketName)
		if err != nil || tx.Bucket(sumsName) != nil {
			return err
		}
		sums, err := tx.CreateBucket(sumsName)
		if err != nil {
			return err
		}
		return b.ForEach(func(k, v []byte) error { return sums.Put(k, sum(k, v)) })
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", name, err), db.Close())
	}
	return &Store{db: db}, nil
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
	return e, translate(err)
}

// List returns entries in key order.
func (s *Store) List(ctx context.Context, prefix, after string, n int) (out []meta.Entry, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketName).Cursor()
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
	return out, translate(err)
}

// Txn applies the operations if the conditions hold.
func (s *Store) Txn(ctx context.Context, conds []meta.Cond, ops []meta.Op) (revision int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b, sums := tx.Bucket(bucketName), tx.Bucket(sumsName)
		for _, c := range conds {
			if revisionOf(b.Get([]byte(c.Key))) != c.Revision {
				return meta.ErrConflict
			}
		}
		next, err := b.NextSequence()
		if err != nil {
			return err
		}
		revision = int64(next)
		for _, op := range ops {
			if err := apply(b, sums, op, next); err != nil {
				return err
			}
		}
		return nil
	})
	return revision, translate(err)
}

func revisionOf(raw []byte) int64 {
	if len(raw) < revisionSize {
		return 0
	}
	return int64(binary.BigEndian.Uint64(raw))
}

func apply(b, sums *bbolt.Bucket, op meta.Op, revision uint64) error {
	key := []byte(op.Key)
	if op.Value == nil {
		return errors.Join(b.Delete(key), sums.Delete(key))
	}
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, revisionSize+len(op.Value)), revision)
	raw = append(raw, op.Value...)
	return errors.Join(b.Put(key, raw), sums.Put(key, sum(key, raw)))
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

func translate(err error) error {
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return meta.ErrClosed
	}
	return err
}
