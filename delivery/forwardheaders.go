package delivery

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Family says which headers hold origin and failure of a forwarded record.
type Family int

// The families. FamilyAuto is FamilyRetry with retry topics and
// FamilyDeadLetter without, as in Spring.
const (
	FamilyAuto Family = iota
	FamilyRetry
	FamilyDeadLetter
	FamilyBoth
)

func (f Family) prefixes() []string {
	switch f {
	case FamilyRetry:
		return []string{prefixRetry}
	case FamilyBoth:
		return []string{prefixRetry, prefixDLT}
	case FamilyAuto, FamilyDeadLetter:
	}
	return []string{prefixDLT}
}

// hop is one step of a record to a retry or dead-letter topic.
type hop struct {
	family    Family
	group     string // main group of the listener
	fromMain  bool   // the record lies on the main topic
	err       error
	reason    Reason // "" on the way to a retry topic
	firstTier string // on the way to a dead-letter topic of a chain with tiers, else ""
	retry     *retryStamp
	trim      trim

	deadLetters int // how often it was dead-lettered, this time included; 0 on the way to a retry topic
	requeues    int // how often DLTRequeue put it back
}

// retryStamp fills the three retry_topic headers.
type retryStamp struct {
	attempts int
	original int64 // ms
	due      time.Time
}

// trim is what is left out of a record that is too large for its topic.
type trim int

const (
	trimNothing trim = iota
	trimStack
	trimMessage
	trimOptional
)

// headers are the headers of rec after the hop. Foreign headers keep their
// bytes and their order; the failure and retry headers are replaced, not
// appended, so that their number does not grow; the first origin stays.
func (p hop) headers(rec *kgo.Record) []kgo.RecordHeader {
	out := make([]kgo.RecordHeader, 0, len(rec.Headers)+16)
	for _, e := range rec.Headers {
		if !p.replaces(e.Key) {
			out = append(out, e)
		}
	}
	add := func(name string, value []byte) {
		out = append(out, kgo.RecordHeader{Key: name, Value: value})
	}
	p.addFailure(add)
	p.addOrigin(rec, add)
	if s := p.retry; s != nil {
		add(HeaderOriginalTimestamp, encodeMillis(s.original))
		add(HeaderAttempts, int32Bytes(int32(s.attempts)))
		add(HeaderBackOffTimestamp, encodeMillis(s.due.UnixMilli()))
	}
	if p.reason != "" {
		add(HeaderErrorClass, []byte(p.reason))
	}
	if p.firstTier != "" && p.trim < trimOptional {
		add(HeaderFirstTier, []byte(p.firstTier))
	}
	if p.deadLetters > 0 {
		add(HeaderDeadLetterCount, strconv.AppendInt(nil, int64(p.deadLetters), 10))
	}
	if p.requeues > 0 {
		add(HeaderRequeueCount, strconv.AppendInt(nil, int64(p.requeues), 10))
	}
	return out
}

// replaces reports whether a header of an earlier hop must go. A record that
// leaves the main topic belongs to this group from now on. If it kept the group of
// an earlier life, this group would skip it on its retry topics.
func (p hop) replaces(name string) bool {
	return strippedHeader(name) || retryHeader(name) || failureHeader(name) ||
		name == HeaderErrorClass || name == HeaderFirstTier || name == HeaderRequeueCount ||
		name == HeaderDeadLetterCount && p.deadLetters > 0 ||
		p.fromMain && name == HeaderOriginGroup
}

func (p hop) addFailure(add func(string, []byte)) {
	for _, prefix := range p.family.prefixes() {
		add(prefix+tailFQCN, []byte(ErrorClass(p.err)))
		if p.trim < trimOptional {
			add(prefix+tailCause, []byte(rootClass(p.err)))
		}
		if p.trim < trimMessage {
			add(prefix+tailMessage, []byte(cutText(p.err.Error(), maxMessageBytes)))
		}
		if p.trim < trimStack {
			add(prefix+tailStack, []byte(cutText(errorStack(p.err), maxStackBytes)))
		}
	}
}

func (p hop) addOrigin(rec *kgo.Record, add func(string, []byte)) {
	o := ReadOrigin(rec)
	h := Headers(rec.Headers)
	for _, prefix := range p.family.prefixes() {
		if _, ok := h.Get(prefix + tailTopic); ok {
			continue
		}
		add(prefix+tailTopic, []byte(o.Topic))
		add(prefix+tailPartition, int32Bytes(o.Partition))
		add(prefix+tailOffset, int64Bytes(o.Offset))
		add(prefix+tailTimestamp, int64Bytes(o.Timestamp.UnixMilli()))
		add(prefix+tailTimestampType, []byte(o.TimestampType))
	}
	if _, ok := h.Get(HeaderOriginGroup); !ok || p.fromMain {
		add(HeaderOriginGroup, []byte(p.group))
	}
}

// errorStack is the stack of a panic, else the tree of errors, depth first: Go
// errors carry no stack of their own.
func errorStack(err error) string {
	if pe, ok := errors.AsType[*PanicError](err); ok {
		return pe.Error() + "\n" + string(pe.Stack)
	}
	var b strings.Builder
	writeCauses(&b, err)
	return b.String()
}

// writeCauses writes a line for each error of a tree. It stops when the header has
// enough text.
func writeCauses(b *strings.Builder, err error) {
	if err == nil || b.Len() > maxStackBytes {
		return
	}
	if r, ok := err.(*ruledError); ok { //nolint:errorlint // marks are not shown.
		writeCauses(b, r.err)
		return
	}
	if b.Len() > 0 {
		b.WriteString("Caused by: ")
	}
	fmt.Fprintf(b, "%s: %v\n", typeName(err), err)
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself.
	case interface{ Unwrap() error }:
		writeCauses(b, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, branch := range e.Unwrap() {
			writeCauses(b, branch)
		}
	}
}

// RedriveHeaders are the headers of a dead letter that is sent back. The origin
// headers stay; the retry and failure headers are gone. If the retry headers
// stayed, the first failure would dead-letter the record again. group, if not "",
// becomes the group that the record belongs to. onlyGroup adds the header that
// makes listeners of other groups skip the record.
func RedriveHeaders(h Headers, id string, group string, onlyGroup bool) []kgo.RecordHeader {
	out := slices.DeleteFunc(slices.Clone([]kgo.RecordHeader(h)), func(e kgo.RecordHeader) bool {
		return strippedHeader(e.Key) || retryHeader(e.Key) || failureHeader(e.Key) ||
			strings.HasPrefix(e.Key, "bote-redrive-") || e.Key == HeaderErrorClass || e.Key == HeaderFirstTier ||
			e.Key == HeaderDeadLetterCount || e.Key == HeaderRequeueCount ||
			group != "" && e.Key == HeaderOriginGroup
	})
	add := func(name, value string) {
		out = append(out, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	if group != "" {
		add(HeaderOriginGroup, group)
	}
	add(HeaderRedriveCount, fmt.Sprint(RedriveCount(h)+1))
	add(HeaderRedriveID, id)
	if onlyGroup {
		add(HeaderRedriveGroup, group)
	}
	return out
}

// RedriveCount is how often a record was redriven.
func RedriveCount(h Headers) int {
	n := 0
	for _, c := range []byte(h.Text(HeaderRedriveCount)) {
		if c < '0' || c > '9' || n > 1<<20 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}
