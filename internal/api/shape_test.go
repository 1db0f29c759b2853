package api

import (
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// everyVersion calls f for each version of each API that is served.
func everyVersion(tb testing.TB, f func(key, version int16, p *plan)) {
	tb.Helper()
	for _, a := range newTable(true).rows {
		require.Len(tb, a.plans, int(a.max-a.accepts)+1, "%s has no shape", kmsg.NameForKey(a.key))
		for i := range a.plans {
			f(a.key, a.accepts+int16(i), &a.plans[i])
		}
	}
}

func requestOf(key, version int16) kmsg.Request {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	return req
}

var tagsType = reflect.TypeFor[kmsg.Tags]()

// random fills a message with random values.
func random(rng *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == tagsType {
			for range rng.IntN(12) / 10 {
				v.Addr().Interface().(*kmsg.Tags).Set(10+rng.Uint32N(1000), make([]byte, rng.IntN(3)))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Version" {
				random(rng, v.Field(i))
			}
		}
	case reflect.Pointer:
		if v.SetZero(); rng.IntN(2) == 0 {
			v.Set(reflect.New(v.Type().Elem()))
			random(rng, v.Elem())
		}
	case reflect.Slice:
		if v.SetZero(); rng.IntN(8) == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(5), 5))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			random(rng, v.Index(i))
		}
	case reflect.String:
		v.SetString("abcdefgh"[:rng.IntN(8)])
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(rng.Uint64N(256))
	default:
		v.SetInt(int64(int8(rng.Uint32())))
	}
}

// elementsOf counts the elements of a decoded message's arrays, and its tagged
// fields.
func elementsOf(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == tagsType {
			return tagElements * v.Addr().Interface().(*kmsg.Tags).Len()
		}
		for i := range v.NumField() {
			switch name := v.Type().Field(i).Name; {
			case name == "ClusterID" && v.Type() == reflect.TypeFor[kmsg.FetchRequest]() && !v.Field(i).IsNil(),
				name == "ReplicaDirectoryID" && v.Field(i).Interface() != [16]byte{},
				name == "HighWatermark" && v.Field(i).Int() != 1<<63-1:
				n += tagElements
			case name == "ReplicaState":
				state := kmsg.NewFetchRequestReplicaState()
				if !reflect.DeepEqual(v.Field(i).Interface(), state) {
					n += tagElements + elementsOf(v.Field(i))
				}
			default:
				n += elementsOf(v.Field(i))
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return elementsOf(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return 0
		}
		n = v.Len()
		if v.Type().Elem() == reflect.TypeFor[kmsg.DescribeConfigsRequestResource]() {
			n *= configWeight
		}
		for i := range v.Len() {
			n += elementsOf(v.Index(i))
		}
	default:
	}
	return n
}

// TestShapes: the walk over a random request ends where the request ends, and counts
// exactly its elements. So each API has a shape, and the shape is right.
func TestShapes(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	everyVersion(t, func(key, version int16, p *plan) {
		for range 50 {
			req := requestOf(key, version)
			random(rng, reflect.ValueOf(req).Elem())
			body := req.AppendTo(nil)
			decoded := requestOf(key, version)
			require.NoError(t, decoded.ReadFrom(body))
			w := walker{left: body, compact: p.compact, limit: 1 << 20}
			require.NoError(t, w.walk(p.steps), "%s version %d", kmsg.NameForKey(key), version)
			require.Empty(t, w.left, "%s version %d", kmsg.NameForKey(key), version)
			want := elementsOf(reflect.ValueOf(decoded).Elem())
			require.Equal(t, want, w.elements, "%s version %d", kmsg.NameForKey(key), version)

			_, err := p.count(body, want-1)
			if want > 0 {
				require.ErrorIs(t, err, errElements)
			}
			for range 5 {
				_, err := p.count(body[:rng.IntN(len(body)+1)*9/10], 1<<20)
				if len(body) > 10 {
					require.ErrorIs(t, err, errShape)
				}
			}
		}
	})
}

// TestNullTopicsOfFetch: the topics may be empty, but not null, although kmsg accepts
// null.
func TestNullTopicsOfFetch(t *testing.T) {
	t.Parallel()
	everyVersion(t, func(key, version int16, p *plan) {
		if key != fetchKey {
			return
		}
		body := requestOf(key, version).AppendTo(nil)
		_, err := p.count(body, 0)
		require.NoError(t, err)
		at := 0
		for p.steps[0].kind == fixedKind && at == 0 {
			at = p.steps[0].size
		}
		if p.compact {
			body[at] = 0
		} else {
			copy(body[at:], []byte{0xff, 0xff, 0xff, 0xff})
		}
		require.NoError(t, requestOf(key, version).ReadFrom(body))
		_, err = p.count(body, 0)
		require.ErrorIs(t, err, errShape)
	})
}

// hostile makes bodies whose arrays claim as many elements as they can.
type hostile struct {
	compact bool
	size    int    // of the body, in bytes
	target  *step  // the array that claims
	tagged  bool   // each of its elements has an unknown tagged field
	letters bool   // texts have one letter, so that each needs an allocation
	all     bool   // the arrays around the target also claim all bytes that are left
	lies    bool   // the target claims as many elements as bytes are left, whatever they need
	tags    uint32 // the number of tagged fields that the first struct claims
	out     []byte
	done    bool
}

// fill appends the shortest encoding of the steps, until it reaches the target.
func (h *hostile) fill(steps []step) {
	for i := range steps {
		s := &steps[i]
		if h.done {
			return
		}
		switch s.kind {
		case fixedKind:
			h.out = append(h.out, make([]byte, s.size)...)
		case textKind, blobKind, arrayKind, nullableKind:
			h.sized(s)
		case optionalKind:
			h.out = append(h.out, 0xff)
		case taggedKind:
			if h.tags > 0 {
				h.out = kbinUvarint(h.out, h.tags)
				h.pad()
				return
			}
			if h.tagged {
				h.out = append(h.out, 1, 77, 0)
				return
			}
			h.out = append(h.out, 0)
		}
	}
}

func kbinUvarint(dst []byte, n uint32) []byte {
	for ; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

func (h *hostile) length(n int, s *step) {
	switch {
	case h.compact:
		h.out = kbinUvarint(h.out, uint32(n+1))
	case s.kind == textKind:
		h.out = append(h.out, 0, byte(n))
	default:
		h.out = append(h.out, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}

func (h *hostile) sized(s *step) {
	leads := contains(s, h.target)
	switch left := h.size - len(h.out) - 5; {
	case !leads && s.kind == textKind && h.letters:
		h.length(1, s)
		h.out = append(h.out, 'a')
	case !leads:
		h.length(0, s)
	case s != h.target:
		n := 1
		if h.all {
			n = left
		}
		h.length(n, s)
		h.fill(s.steps)
		h.done = true
		h.pad()
	case h.lies:
		h.length(left, s)
		h.done = true
		h.pad()
	default:
		one := &hostile{compact: h.compact, tagged: h.tagged, letters: h.letters}
		one.fill(s.steps)
		n := left / len(one.out)
		h.length(n, s)
		for range n {
			h.out = append(h.out, one.out...)
		}
		h.done = true
	}
}

// pad fills the rest of the body with zeros.
func (h *hostile) pad() {
	h.done = true
	h.out = append(h.out, make([]byte, max(0, h.size-len(h.out)))...)
}

func contains(s, target *step) bool {
	if s == target {
		return target != nil
	}
	for i := range s.steps {
		if contains(&s.steps[i], target) {
			return true
		}
	}
	return false
}

// arraysOf returns all arrays of a request.
func arraysOf(steps []step) (out []*step) {
	for i := range steps {
		if k := steps[i].kind; k == arrayKind || k == nullableKind {
			out = append(out, &steps[i])
		}
		out = append(out, arraysOf(steps[i].steps)...)
	}
	return out
}

// bodies returns the worst bodies for a version of an API: each array full of the
// smallest elements, or claiming to be.
func bodies(p *plan, size int) (out [][]byte) {
	add := func(h hostile) {
		h.compact, h.size = p.compact, size
		h.fill(p.steps)
		out = append(out, h.out)
	}
	for _, target := range arraysOf(p.steps) {
		add(hostile{target: target})
		add(hostile{target: target, letters: true})
		add(hostile{target: target, lies: true})
		add(hostile{target: target, lies: true, all: true})
		if p.compact {
			add(hostile{target: target, tagged: true})
		}
	}
	if p.compact {
		add(hostile{tags: uint32(size - 100)})
		add(hostile{tags: 1<<32 - 1})
	}
	return out
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// elementBytes is the most that an element may need; it equals wire's elementMemory.
const elementBytes = 128

// TestStringsAreBounded: a string has at most 32767 bytes, even a compact one,
// because it is stored with a length of two bytes.
func TestStringsAreBounded(t *testing.T) {
	t.Parallel()
	for _, version := range []int16{7, 8} {
		for _, size := range []int{math.MaxInt16, math.MaxInt16 + 1} {
			req := kmsg.NewPtrOffsetCommitRequest()
			req.Version, req.Group = version, strings.Repeat("g", size)
			_, err := newTable(true).lookup(req.Key()).count(version, req.AppendTo(nil), 1000)
			require.Equal(t, size > math.MaxInt16, err != nil, "version %d, %d bytes", version, size)
		}
	}
}

// TestDecodingIsBounded: decoding never allocates more than the body's elements may
// need, and their number has a limit. The test fails for an API without a shape.
func TestDecodingIsBounded(t *testing.T) {
	const size, limit = 128 << 10, 10_000
	worst := 0.0
	everyVersion(t, func(key, version int16, p *plan) {
		for i, body := range bodies(p, size) {
			n := allocated(func() {
				if _, err := p.count(body, limit); err == nil {
					_ = requestOf(key, version).ReadFrom(body)
				}
			})
			require.LessOrEqual(t, n, uint64(roomTwice*limit*elementBytes+2*size), "%s version %d, body %d", kmsg.NameForKey(key), version, i)
		}
		for _, body := range bodies(p, 16<<10) { // small enough for the limit
			count, err := p.count(body, 20_000)
			if err != nil || count < 100 {
				continue
			}
			n := allocated(func() { _ = requestOf(key, version).ReadFrom(body) }) // it may fail: zeros may be strings that may not be null
			if each := float64(n) / float64(count); each > worst {
				worst = each
				t.Logf("%s version %d: %.0f bytes for each of %d elements", kmsg.NameForKey(key), version, each, count)
			}
		}
	})
	require.LessOrEqual(t, worst, float64(roomTwice*elementBytes))
}

// FuzzShapes: for any bytes, a walk ends without looking beyond them, and counts at
// least the elements that are decoded.
func FuzzShapes(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	everyVersion(f, func(key, version int16, _ *plan) {
		req := requestOf(key, version)
		random(rng, reflect.ValueOf(req).Elem())
		f.Add(key, version, req.AppendTo(nil))
	})
	all := newTable(true)
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		a := all.lookup(key)
		if a == nil || version < a.accepts || version > a.max {
			return
		}
		n, err := a.count(version, body, 1000)
		if err != nil {
			return
		}
		req := requestOf(key, version)
		if req.ReadFrom(body) != nil {
			return
		}
		require.LessOrEqual(t, elementsOf(reflect.ValueOf(req).Elem()), n)
		_, err = a.count(version, req.AppendTo(nil), 1000)
		require.NoError(t, err)
	})
}

// BenchmarkShapes walks over a Produce request with the given number of partitions.
func BenchmarkShapes(b *testing.B) {
	a := newTable(true).lookup(0)
	for _, partitions := range []int{1, 100_000} {
		req := kmsg.NewPtrProduceRequest()
		req.Version = 9
		topic := kmsg.NewProduceRequestTopic()
		for range partitions {
			topic.Partitions = append(topic.Partitions, kmsg.NewProduceRequestTopicPartition())
		}
		req.Topics = append(req.Topics, topic)
		body := req.AppendTo(nil)
		b.Run(strconv.Itoa(partitions), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.count(9, body, 500_000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
