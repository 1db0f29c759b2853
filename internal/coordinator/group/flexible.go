package group

import (
	"encoding/binary"
	"errors"
)

// Values from version 4 on have tagged fields. kmsg trusts the number of them that the
// value states and loops that often, three minutes for the largest number, even if no
// field follows. So we check the bytes first: anybody with the right to write to the
// topic may have put them into the log.

const flexibleValue = 4

var errTags = errors.New("tagged fields that are not there")

// flexible is the rest of a flexible value. It becomes nil if a method runs past the end.
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

// bytes skips a bytes field, which may be null.
func (f *flexible) bytes() { f.fixed(max(0, f.number()-1)) }

// text skips a string, which may be null and at most maxString bytes long.
func (f *flexible) text() {
	n := max(0, f.number()-1)
	if n > maxString {
		n = -1
	}
	f.fixed(n)
}

// tags skips the tagged fields at the end of a struct. It reports false if the bytes have
// ended before.
func (f *flexible) tags() bool {
	for n := f.number(); n > 0 && *f != nil; n-- {
		f.number()
		f.fixed(f.number())
	}
	return *f != nil
}

// checkOffset checks a flexible offset commit value, which begins with its version.
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

// checkGroup checks a flexible group metadata value, which begins with its version.
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
