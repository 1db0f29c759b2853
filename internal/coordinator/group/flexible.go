package group

import (
	"encoding/binary"
	"errors"
)

// Values from version 4 on have tagged fields. kmsg believes their number and
// counts down from it, three minutes for the largest, even if none is there. So
// their bytes are looked at first; they come from the log, where anybody may have
// put them who could write to the topic.

const flexibleValue = 4

var errTags = errors.New("tagged fields that are not there")

// flexible are the bytes of a flexible value that are left; nil after more were
// taken than there are.
type flexible []byte

func (f *flexible) fixed(n int) {
	if n < 0 || n > len(*f) {
		*f = nil
		return
	}
	*f = (*f)[n:]
}

func (f *flexible) number() int {
	n, size := binary.Uvarint(*f)
	if size <= 0 || n > 1<<31 {
		*f = nil
		return 0
	}
	*f = (*f)[size:]
	return int(n)
}

// bytes passes over bytes, which may be null.
func (f *flexible) bytes() { f.fixed(max(0, f.number()-1)) }

// text passes over a string, which may be null and is no longer than others are.
func (f *flexible) text() {
	n := max(0, f.number()-1)
	if n > maxString {
		n = -1
	}
	f.fixed(n)
}

// tags passes over the end of a struct, and reports whether it is there.
func (f *flexible) tags() bool {
	for n := f.number(); n > 0 && *f != nil; n-- {
		f.number()
		f.fixed(f.number())
	}
	return *f != nil
}

// checkOffset looks at a flexible offset commit value, its version included.
func checkOffset(value []byte) error {
	f := flexible(value)
	f.fixed(2 + 8 + 4) // version, offset, leader epoch
	f.text()           // metadata
	f.fixed(8)         // timestamp
	if !f.tags() {
		return errTags
	}
	return nil
}

// checkGroup looks at a flexible group metadata value, its version included.
func checkGroup(value []byte) error {
	f := flexible(value)
	f.fixed(2)
	f.text()   // protocol type
	f.fixed(4) // generation
	f.text()   // protocol
	f.text()   // leader
	f.fixed(8) // since
	for n := f.number() - 1; n > 0; n-- {
		for range 4 { // member, instance, client, host
			f.text()
		}
		f.fixed(4 + 4) // rebalance and session timeout
		f.bytes()      // subscription
		f.bytes()      // assignment
		if !f.tags() {
			return errTags
		}
	}
	if !f.tags() {
		return errTags
	}
	return nil
}
