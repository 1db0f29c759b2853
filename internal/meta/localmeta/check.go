package localmeta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/botehq/bote/internal/meta"
)

// ErrDamaged is wrapped by the errors of Open and Check for a file that is not whole.
var ErrDamaged = errors.New("the metadata file is damaged")

// ErrInUse is wrapped by the error of Check while another process has the file open.
var ErrInUse = errors.New("the metadata file is in use")

// Check reads the whole file without changing it: every page, every entry, and
// then bbolt's own check. It returns the entries. Damage is an error that wraps
// ErrDamaged and names the page; a file that another process has open is ErrInUse,
// and one that does not exist is fs.ErrNotExist.
func Check(name string) (entries []meta.Entry, err error) {
	verified := func(name string, flag int, mode os.FileMode) (*os.File, error) {
		raw, err := os.ReadFile(name)
		if err == nil {
			entries, err = verify(raw)
		}
		if err != nil {
			return nil, err
		}
		return os.OpenFile(name, flag, mode)
	}
	db, err := bbolt.Open(name, 0o640, &bbolt.Options{ReadOnly: true, Timeout: time.Millisecond, OpenFile: verified})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, name)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		var errs []error
		for err := range tx.Check() {
			errs = append(errs, fmt.Errorf("%w: %w", ErrDamaged, err))
		}
		return errors.Join(errs...)
	})
	return entries, errors.Join(err, db.Close())
}

// verifyFile is the part of Check that Open needs. bbolt trusts the file that it maps, and
// a page number out of range would crash the process.
func verifyFile(name string) error {
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(raw) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	_, err = verify(raw)
	return err
}

// The layout of bbolt's file, version 2, in the machine's byte order.
const (
	pageHead    = 16 // id 8, flags 2, count 2, overflow 4
	elementSize = 16
	metaSize    = 64
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf element
	noFreelist   = ^uint64(0)
)

var order = binary.NativeEndian

// boltMeta is the contents of a meta page.
type boltMeta struct {
	pageSize             int
	root, freelist, high uint64
	txid                 uint64
}

// boltFile is a file that is being verified.
type boltFile struct {
	raw   []byte
	meta  boltMeta
	used  map[uint64]string // what each page that was visited belongs to
	limit uint64            // the last revision
}

// verify walks every page of the newest transaction, and returns the entries.
func verify(raw []byte) (entries []meta.Entry, err error) {
	f := &boltFile{raw: raw, used: map[uint64]string{0: "meta", 1: "meta"}}
	if f.meta, err = newestMeta(raw); err != nil {
		return nil, err
	}
	free, err := f.free()
	if err != nil {
		return nil, err
	}
	buckets, err := f.tree(f.meta.root, "the root")
	if err != nil {
		return nil, err
	}
	sums, summed := map[string][]byte{}, false
	var stored, leased []leaf
	for _, b := range buckets {
		if !slices.ContainsFunc([][]byte{bucketName, sumsName, leasesName}, func(n []byte) bool { return bytes.Equal(n, b.key) }) || !b.bucket || len(b.value) < 16 {
			return nil, fmt.Errorf("%w: the root has an entry %q that is no bucket of this broker", ErrDamaged, b.key)
		}
		leaves, err := f.bucket(b.value)
		if err != nil {
			return nil, err
		}
		switch string(b.key) {
		case string(bucketName):
			stored = leaves
			f.limit = order.Uint64(b.value[8:])
		case string(leasesName):
			leased = leaves
		default:
			summed = true
			for _, leaf := range leaves {
				sums[string(leaf.key)] = leaf.value
			}
		}
	}
	for _, leaf := range stored {
		e, err := entry(leaf.key, leaf.value)
		switch {
		case err != nil || leaf.bucket:
			return nil, fmt.Errorf("%w: entry %q is not understood", ErrDamaged, leaf.key)
		case summed && !bytes.Equal(sums[e.Key], sum(leaf.key, leaf.value)):
			return nil, fmt.Errorf("%w: the checksum of entry %q does not match it", ErrDamaged, leaf.key)
		case uint64(e.Revision) > f.limit:
			return nil, fmt.Errorf("%w: entry %q has revision %d, but the last is %d", ErrDamaged, leaf.key, e.Revision, f.limit)
		}
		entries = append(entries, e)
	}
	if summed && len(sums) != len(entries) {
		return nil, fmt.Errorf("%w: it has %d entries and %d checksums", ErrDamaged, len(entries), len(sums))
	}
	for _, leaf := range leased {
		_, exists := slices.BinarySearchFunc(entries, string(leaf.key), func(e meta.Entry, key string) int { return strings.Compare(e.Key, key) })
		if leaf.bucket || len(leaf.value) != revisionSize || !exists {
			return nil, fmt.Errorf("%w: the lease of %q is not understood", ErrDamaged, leaf.key)
		}
	}
	for id := uint64(2); id < f.meta.high; id++ {
		if _, ok := f.used[id]; ok == free[id] {
			return nil, fmt.Errorf("%w: page %d is used (%t) and free (%t)", ErrDamaged, id, ok, free[id])
		}
	}
	return entries, nil
}

// newestMeta returns the newest of the two meta pages that is whole. One of them may be
// torn, because a crash came while it was written. A page with a single wrong bit is not
// torn but damaged, and an error.
func newestMeta(raw []byte) (best boltMeta, err error) {
	found := false
	for i, pageSize := range []int{0, pageSizeOf(raw)} {
		at := i * pageSize
		if at+pageHead+metaSize > len(raw) || i == 1 && pageSize == 0 {
			return best, fmt.Errorf("%w: it has %d bytes and no two meta pages", ErrDamaged, len(raw))
		}
		m, ok := parseMeta(raw[at:])
		switch {
		case ok && (!found || m.txid > best.txid):
			best, found = m, true
		case !ok && oneBitOff(raw[at:at+pageHead+metaSize]):
			return best, fmt.Errorf("%w: a bit of meta page %d is wrong", ErrDamaged, i)
		}
	}
	if !found {
		return best, fmt.Errorf("%w: neither of its meta pages is whole", ErrDamaged)
	}
	if best.high > uint64(len(raw)/best.pageSize) {
		return best, fmt.Errorf("%w: it has %d bytes, but should have %d pages of %d", ErrDamaged, len(raw), best.high, best.pageSize)
	}
	return best, nil
}

// pageSizeOf returns the page size: that of the first meta page or, if that page is not
// whole, the position at which the second one is found. It returns 0 if neither is.
func pageSizeOf(raw []byte) int {
	if m, ok := parseMeta(raw); ok {
		return m.pageSize
	}
	for size := 1 << 10; size <= 1<<16 && size+pageHead+metaSize <= len(raw); size *= 2 {
		if m, ok := parseMeta(raw[size:]); ok && m.pageSize == size {
			return size
		}
	}
	return 0
}

func parseMeta(p []byte) (m boltMeta, ok bool) {
	if len(p) < pageHead+metaSize {
		return m, false
	}
	b := p[pageHead:]
	hash := fnv.New64a()
	_, _ = hash.Write(b[:56]) // never fails
	m = boltMeta{
		pageSize: int(order.Uint32(b[8:])), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]),
		high: order.Uint64(b[40:]), txid: order.Uint64(b[48:]),
	}
	return m, order.Uint64(b[56:]) == hash.Sum64() && order.Uint32(b) == boltMagic && order.Uint32(b[4:]) == boltVersion &&
		order.Uint16(p[8:]) == flagMeta && m.pageSize >= 1<<9 && m.pageSize <= 1<<20
}

// oneBitOff reports whether changing one bit would make a meta page whole.
func oneBitOff(p []byte) bool {
	p = slices.Clone(p)
	for i := range len(p) * 8 {
		p[i/8] ^= 1 << (i % 8)
		if _, ok := parseMeta(p); ok {
			return true
		}
		p[i/8] ^= 1 << (i % 8)
	}
	return false
}

// page returns a page with its overflow pages, and notes in used what they belong to.
func (f *boltFile) page(id uint64, of string) (p []byte, flags uint16, count int, err error) {
	if id < 2 || id >= f.meta.high {
		return nil, 0, 0, fmt.Errorf("%w: %s points to page %d of %d", ErrDamaged, of, id, f.meta.high)
	}
	at := int(id) * f.meta.pageSize
	head := f.raw[at:]
	over := uint64(order.Uint32(head[12:]))
	if order.Uint64(head) != id || id+over >= f.meta.high {
		return nil, 0, 0, fmt.Errorf("%w: page %d says that it is page %d with %d more", ErrDamaged, id, order.Uint64(head), over)
	}
	for i := id; i <= id+over; i++ {
		if other, ok := f.used[i]; ok {
			return nil, 0, 0, fmt.Errorf("%w: page %d belongs to %s and to %s", ErrDamaged, i, other, of)
		}
		f.used[i] = of
	}
	return f.raw[at : at+int(over+1)*f.meta.pageSize], order.Uint16(head[8:]), int(order.Uint16(head[10:])), nil
}

// free reads the list of free pages.
func (f *boltFile) free() (map[uint64]bool, error) {
	free := map[uint64]bool{}
	if f.meta.freelist == noFreelist {
		return nil, fmt.Errorf("%w: it has no list of free pages", ErrDamaged)
	}
	p, flags, count, err := f.page(f.meta.freelist, "the list of free pages")
	if err != nil {
		return nil, err
	}
	ids := p[pageHead:]
	if count == 0xffff {
		count, ids = int(min(order.Uint64(ids), 1<<40)), ids[8:]
	}
	if flags != flagFreelist || count > len(ids)/8 {
		return nil, fmt.Errorf("%w: page %d is no list of free pages", ErrDamaged, f.meta.freelist)
	}
	last := uint64(1)
	for i := range count {
		id := order.Uint64(ids[8*i:])
		if id <= last || id >= f.meta.high {
			return nil, fmt.Errorf("%w: entry %d of the list of free pages is page %d", ErrDamaged, i, id)
		}
		last, free[id] = id, true
	}
	return free, nil
}

// leaf is an element of a leaf page.
type leaf struct {
	key, value []byte
	bucket     bool
}

// bucket returns the elements of a bucket. A small bucket's only page lies in its value.
func (f *boltFile) bucket(value []byte) ([]leaf, error) {
	root := order.Uint64(value)
	if root != 0 {
		return f.tree(root, "the bucket")
	}
	p := value[16:]
	if len(p) < pageHead || order.Uint16(p[8:]) != flagLeaf {
		return nil, fmt.Errorf("%w: the bucket is no page", ErrDamaged)
	}
	return leaves(p, int(order.Uint16(p[10:])), "the bucket")
}

// tree returns the elements of all leaves below a page. Their keys must ascend.
func (f *boltFile) tree(id uint64, of string) ([]leaf, error) {
	p, flags, count, err := f.page(id, of)
	if err != nil {
		return nil, err
	}
	me := fmt.Sprintf("page %d", id)
	switch flags {
	case flagLeaf:
		return leaves(p, count, me)
	case flagBranch:
	default:
		return nil, fmt.Errorf("%w: page %d has flags %#x", ErrDamaged, id, flags)
	}
	if count == 0 || pageHead+count*elementSize > len(p) {
		return nil, fmt.Errorf("%w: page %d cannot hold %d elements", ErrDamaged, id, count)
	}
	var all []leaf
	for i := range count {
		e := p[pageHead+i*elementSize:]
		key, ok := subslice(e, uint64(order.Uint32(e)), uint64(order.Uint32(e[4:])))
		if !ok {
			return nil, fmt.Errorf("%w: element %d of page %d lies outside of it", ErrDamaged, i, id)
		}
		below, err := f.tree(order.Uint64(e[8:]), me)
		if err != nil {
			return nil, err
		}
		if len(below) == 0 || bytes.Compare(below[0].key, key) < 0 || len(all) > 0 && bytes.Compare(all[len(all)-1].key, key) >= 0 {
			return nil, fmt.Errorf("%w: element %d of page %d does not go with the keys below it", ErrDamaged, i, id)
		}
		all = append(all, below...)
	}
	return all, nil
}

// leaves reads the elements of a leaf page.
func leaves(p []byte, count int, of string) ([]leaf, error) {
	if pageHead+count*elementSize > len(p) {
		return nil, fmt.Errorf("%w: %s cannot hold %d elements", ErrDamaged, of, count)
	}
	all := make([]leaf, 0, count)
	for i := range count {
		e := p[pageHead+i*elementSize:]
		flags, pos := order.Uint32(e), uint64(order.Uint32(e[4:]))
		ksize, vsize := uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
		key, ok := subslice(e, pos, ksize)
		value, okValue := subslice(e, pos+ksize, vsize)
		if !ok || !okValue || flags > flagBucket || ksize == 0 {
			return nil, fmt.Errorf("%w: element %d of %s lies outside of it", ErrDamaged, i, of)
		}
		if i > 0 && bytes.Compare(all[i-1].key, key) >= 0 {
			return nil, fmt.Errorf("%w: the keys of %s do not ascend at element %d", ErrDamaged, of, i)
		}
		all = append(all, leaf{key: key, value: value, bucket: flags == flagBucket})
	}
	return all, nil
}

// subslice returns n bytes of p, from position at. It reports false if they begin inside of
// the element itself or do not end in p.
func subslice(p []byte, at, n uint64) ([]byte, bool) {
	if at < elementSize || at+n > uint64(len(p)) {
		return nil, false
	}
	return p[at : at+n], true
}
