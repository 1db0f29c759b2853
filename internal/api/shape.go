package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A shape says where the arrays of a request are. The kmsg decoder trusts the length
// of an array as long as that many bytes are left, whatever its elements need, and it
// trusts the number of tagged fields unchecked. So a walk over the bytes comes first:
// it allocates nothing, counts the elements and stops at a limit. A shape lists every
// field by its size, because there is no other way to find the next field.

type kind uint8

const (
	fixedKind    kind = iota // size bytes
	textKind                 // a string: two bytes of length, or a varint
	blobKind                 // bytes: four bytes of length, or a varint
	arrayKind                // an array that may not be null
	nullableKind             // an array that may be null
	optionalKind             // a struct behind a byte that is -1 if the struct is absent
	taggedKind               // as a field: one tagged field; as a step: all tagged fields of a struct
)

// field is one field of a struct, in the versions from since to until.
type field struct {
	kind         kind
	size         int
	tag          int
	bare         bool // an element or a tagged field that is not a struct
	weight       int  // how many elements an array's element counts as; 0 means one
	since, until int16
	fields       []field // of the struct, or of an array's element
}

const (
	anyVersion = 1<<15 - 1
	never      = anyVersion
)

func fix(size int) field            { return field{kind: fixedKind, size: size, until: anyVersion} }
func text() field                   { return field{kind: textKind, until: anyVersion} }
func blob() field                   { return field{kind: blobKind, until: anyVersion} }
func array(of ...field) field       { return field{kind: arrayKind, fields: of, until: anyVersion} }
func arrayOrNull(of ...field) field { return field{kind: nullableKind, fields: of, until: anyVersion} }

func maybe(of ...field) field { return field{kind: optionalKind, fields: of, until: anyVersion} }

func inTag(tag int, of ...field) field {
	return field{kind: taggedKind, tag: tag, fields: of, until: anyVersion}
}

// bare marks a field that stands alone: there is no struct around it, and so no
// tagged fields follow it.
func bare(f field) field { f.bare = true; return f }

// each makes each element of an array count as weight elements, because the answer
// has that many for it.
func (f field) each(weight int) field { f.weight = weight; return f }

func (f field) from(version int16) field { f.since = version; return f }
func (f field) to(version int16) field   { f.until = version; return f }

// shape is the layout of an API's requests in all versions.
type shape struct {
	flexible int16 // the first version with compact lengths and tagged fields, or never
	fields   []field
}

// layout returns a shape whose first version with compact lengths is flexible.
func layout(flexible int16, fields ...field) shape { return shape{flexible, fields} }

// step is one step of the walk, in one version of one API.
type step struct {
	kind   kind
	size   int    // of a fixed step, its bytes; of an array, how many elements each element counts as
	steps  []step // of a struct or an array's element
	inside []step // known tagged fields, by tag; unknown tags have fixedKind
}

// plan is the steps of a walk over one version.
type plan struct {
	compact bool
	steps   []step
}

// plan returns the steps of a version. Fields that the version does not have are left
// out, and neighbours of fixed size become one step.
func (s *shape) plan(version int16) plan {
	compact := version >= s.flexible
	return plan{compact: compact, steps: stepsOf(s.fields, version, compact)}
}

func stepsOf(fields []field, version int16, compact bool) []step {
	var out, inside []step
	inStruct := true
	for i := range fields {
		f := &fields[i]
		inStruct = inStruct && !f.bare
		switch last := len(out) - 1; {
		case version < f.since || version > f.until:
		case f.kind == taggedKind:
			for len(inside) <= f.tag {
				inside = append(inside, step{kind: fixedKind})
			}
			inside[f.tag] = step{kind: taggedKind, steps: stepsOf(f.fields, version, compact)}
		case f.kind == fixedKind && last >= 0 && out[last].kind == fixedKind:
			out[last].size += f.size
		default:
			out = append(out, step{kind: f.kind, size: max(f.size, f.weight, 1)})
			if f.fields != nil {
				out[len(out)-1].steps = stepsOf(f.fields, version, compact)
			}
		}
	}
	if compact && inStruct {
		out = append(out, step{kind: taggedKind, inside: inside})
	}
	return out
}

var (
	errShape    = errors.New("not what its schema says")
	errElements = errors.New("too many elements in its arrays")
	errText     = fmt.Errorf("%w: a string of more than %d bytes", errShape, math.MaxInt16)
)

// tagElements is how many elements a tagged field counts as: kmsg keeps unknown
// tagged fields in a map, which needs that much memory.
const tagElements = 4

// walker walks over a request.
type walker struct {
	left     []byte
	compact  bool
	elements int
	limit    int
}

// count returns how many elements the arrays of a body have together.
func (p *plan) count(body []byte, limit int) (int, error) {
	w := walker{left: body, compact: p.compact, limit: limit}
	err := w.walk(p.steps)
	if errors.Is(err, errElements) {
		return w.elements, fmt.Errorf("%w: %d at least, the limit is %d", errElements, w.elements, limit)
	}
	return w.elements, err
}

func (w *walker) walk(steps []step) error {
	for i := range steps {
		s := &steps[i]
		var err error
		switch s.kind {
		case fixedKind:
			err = w.skip(s.size)
		case textKind:
			n := w.length(textKind)
			if n > math.MaxInt16 { // compact strings could be longer, but nobody could store them
				return errText
			}
			err = w.skip(max(0, n))
		case blobKind:
			err = w.skip(max(0, w.length(blobKind)))
		case arrayKind, nullableKind:
			err = w.array(s)
		case optionalKind:
			if len(w.left) == 0 {
				return errShape
			}
			present := w.left[0] != 0xff
			w.left = w.left[1:]
			if present {
				err = w.walk(s.steps)
			}
		case taggedKind:
			err = w.tags(s.inside)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) skip(n int) error {
	if n > len(w.left) {
		return errShape
	}
	w.left = w.left[n:]
	return nil
}

// tooLong is a length that exceeds any number of bytes.
const tooLong = 1<<31 - 1

// length reads a length: negative for null, tooLong if there is none.
func (w *walker) length(k kind) int {
	switch {
	case w.compact:
		return w.varint() - 1
	case k == textKind && len(w.left) >= 2:
		n := int(int16(binary.BigEndian.Uint16(w.left)))
		w.left = w.left[2:]
		return n
	case k != textKind && len(w.left) >= 4:
		n := int(int32(binary.BigEndian.Uint32(w.left)))
		w.left = w.left[4:]
		return n
	}
	w.left = nil
	return tooLong
}

// varint reads a number. If there is none, it returns more than any number of bytes.
func (w *walker) varint() int {
	n, size := binary.Uvarint(w.left)
	if size <= 0 || n >= tooLong {
		w.left = nil
		return tooLong + 1
	}
	w.left = w.left[size:]
	return int(n)
}

func (w *walker) array(s *step) error {
	n := w.length(arrayKind)
	switch {
	case n > len(w.left), n < 0 && s.kind == arrayKind:
		return errShape
	case n <= 0:
		return nil
	}
	if w.elements += n * s.size; w.elements > w.limit {
		return errElements
	}
	if len(s.steps) == 1 && s.steps[0].kind == fixedKind {
		return w.skip(n * s.steps[0].size)
	}
	for range n {
		if err := w.walk(s.steps); err != nil {
			return err
		}
	}
	return nil
}

// tags walks over the tagged fields of a struct. The bytes that are left bound their
// number, because each needs two.
func (w *walker) tags(inside []step) error {
	n := w.varint()
	if n > len(w.left) {
		return errShape
	}
	if w.elements += n * tagElements; w.elements > w.limit {
		return errElements
	}
	for range n {
		tag, size := w.varint(), w.varint()
		if tag > tooLong || size > len(w.left) {
			return errShape
		}
		if tag >= len(inside) || inside[tag].kind != taggedKind {
			w.left = w.left[size:]
			continue
		}
		behind := w.left[size:]
		w.left = w.left[:size]
		if err := w.walk(inside[tag].steps); err != nil {
			return err
		}
		w.left = behind
	}
	return nil
}
