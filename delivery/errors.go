package delivery

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Causes of a handler's cancelled context, found with context.Cause.
var (
	// ErrHandlerTimeout ends a delivery that ran longer than HandlerTimeout.
	ErrHandlerTimeout = errors.New("handler ran longer than its timeout")
	// ErrRevoked ends deliveries of a partition that moves to another member.
	ErrRevoked = errors.New("partition was revoked")
	// ErrLost ends deliveries of a partition this member no longer owns.
	ErrLost = errors.New("partition was lost")
	// ErrShutdown ends deliveries that outlive DrainTimeout.
	ErrShutdown = errors.New("listener shuts down")
	// ErrSeek ends deliveries of a partition whose position was moved.
	ErrSeek = errors.New("partition position was moved")
)

// Errors of the API.
var (
	// ErrUnknownOutcome is returned by Send when the context ended while the
	// record may or may not have been written.
	ErrUnknownOutcome = errors.New("outcome of the send is unknown")
	// ErrGoexit is the failure of a handler that called runtime.Goexit.
	ErrGoexit = errors.New("handler called runtime.Goexit")
	// ErrExpired is the failure of a record older than ExpireAfter.
	ErrExpired = errors.New("record is older than its expiry")
	// ErrNotAssigned is returned by Seek for a partition this member does not own.
	ErrNotAssigned = errors.New("partition is not assigned to this listener")
	// ErrStarted is returned by Run of a listener that has run before.
	ErrStarted = errors.New("listener was started before")
	// ErrAckUnused is returned by Ack when the commit policy does not wait for acks.
	ErrAckUnused = errors.New("ack needs CommitManual or CommitNow")
)

// Problems of a topic in a chain, wrapped in a TopicError by Run.
var (
	ErrTopicMissing      = errors.New("topic does not exist")
	ErrTopicCompacted    = errors.New("topic is compacted: records of equal key would erase each other")
	ErrRetentionTooShort = errors.New("retention.ms is shorter than the delay of the retry topic: its records would be deleted before they are due")
	ErrNoWritePermission = errors.New("no permission to write to the topic")
)

// TopicError is a problem of one topic, found when a listener starts.
type TopicError struct {
	Topic string
	Err   error
}

func (e *TopicError) Error() string { return fmt.Sprintf("topic %s: %v", e.Topic, e.Err) }
func (e *TopicError) Unwrap() error { return e.Err }

// ConfigError collects what is wrong with the options of a listener or a client.
type ConfigError struct{ Problems []string }

func (e *ConfigError) Error() string {
	return "options: " + strings.Join(e.Problems, "; ")
}

// PanicError is the failure of a handler that panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("handler panicked: %v", e.Value) }

// Unwrap gives the panic value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// DecodeError is the failure of a record whose value could not be decoded.
// It is never retried.
type DecodeError struct{ Err error }

func (e *DecodeError) Error() string { return "decode value: " + e.Err.Error() }
func (e *DecodeError) Unwrap() error { return e.Err }

// HungError is returned by Run and Stop when handlers did not return within
// DrainTimeout plus KillGrace, even handlers whose partition was given up
// earlier. It names at least one handler. Their records are not committed.
type HungError struct{ Handlers []string }

func (e *HungError) Error() string {
	return "handlers never returned: " + strings.Join(e.Handlers, ", ")
}

// HaltError is returned by Run after a handler returned Halt, after the action
// HaltListener, and when the listener stops by itself because it cannot go on,
// for example because the broker refuses its SessionTimeout.
type HaltError struct{ Err error }

func (e *HaltError) Error() string { return "listener halted: " + e.Err.Error() }
func (e *HaltError) Unwrap() error { return e.Err }

// BatchError is returned by SendBatch when records failed.
type BatchError struct {
	Failed int // records that failed
	Total  int
	errs   []error // of the records that failed, in their order
}

// Error counts the records that failed, and gives up to three distinct errors
// with their number.
func (e *BatchError) Error() string {
	var texts []string
	counts := map[string]int{}
	for _, err := range e.errs {
		if counts[err.Error()]++; counts[err.Error()] == 1 {
			texts = append(texts, err.Error())
		}
	}
	const most = 3
	for i, text := range texts {
		texts[i] = fmt.Sprintf("%s (%d)", text, counts[text])
	}
	if len(texts) > most {
		texts = append(texts[:most], fmt.Sprintf("and %d other errors", len(texts)-most))
	}
	return fmt.Sprintf("%d of %d records failed: %s", e.Failed, e.Total, strings.Join(texts, "; "))
}

// Unwrap gives the errors of the records that failed.
func (e *BatchError) Unwrap() []error { return e.errs }

// newBatchError is nil if no record failed.
func newBatchError(results []Result) error {
	e := &BatchError{Total: len(results)}
	for _, r := range results {
		if r.Err != nil {
			e.Failed++
			e.errs = append(e.errs, r.Err)
		}
	}
	if e.Failed == 0 {
		return nil
	}
	return e
}

// ruling is what a handler decided about its own failure.
type ruling int

const (
	rulePermanent ruling = iota + 1
	ruleRetryAfter
	ruleDrop
	ruleHalt
)

// ruledError carries a ruling. It is transparent: message and chain are those
// of the wrapped error.
type ruledError struct {
	err   error
	rule  ruling
	after time.Duration
}

func (e *ruledError) Error() string { return e.err.Error() }
func (e *ruledError) Unwrap() error { return e.err }

func rule(err error, r ruling, after time.Duration) error {
	if err == nil {
		return nil
	}
	return &ruledError{err: err, rule: r, after: after}
}

// Permanent marks err as not worth a retry: the record goes to its dead-letter
// topic at once. Permanent(nil) is nil, as with the other marks.
func Permanent(err error) error { return rule(err, rulePermanent, 0) }

// RetryAfter asks for the next delivery after d. In a retry chain the record
// goes to the first tier with a delay of at least d or, if there is none, to the
// last tier.
func RetryAfter(err error, d time.Duration) error { return rule(err, ruleRetryAfter, max(d, 0)) }

// Drop gives the record up: it counts as done and appears in no other topic.
func Drop(err error) error { return rule(err, ruleDrop, 0) }

// Halt stops the listener. The record is not committed; the next listener that
// reads its partition gets it again.
func Halt(err error) error { return rule(err, ruleHalt, 0) }

// ErrorClass is the name that an error has in headers and logs. It is the import
// path and type name of the first error in the tree of err, depth first, whose
// type is not from package errors or fmt: those types say nothing about the
// cause. An error may name itself with a method ErrorClass() string. If the tree
// has no such error, the name is the type of err without the marks of this
// package.
func ErrorClass(err error) string {
	if class, ok := telling(err); ok {
		return class
	}
	for {
		r, ok := err.(*ruledError) //nolint:errorlint // only the outermost mark is taken off.
		if !ok {
			return typeName(err)
		}
		err = r.err
	}
}

// telling is the class of the first error in a tree whose type is not generic. It
// reports false if there is none.
func telling(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	if named, ok := err.(interface{ ErrorClass() string }); ok {
		return named.ErrorClass(), true
	}
	if !generic(err) {
		return typeName(err), true
	}
	switch e := err.(type) { //nolint:errorlint // this walks the tree itself.
	case interface{ Unwrap() error }:
		return telling(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, branch := range e.Unwrap() {
			if class, ok := telling(branch); ok {
				return class, true
			}
		}
	}
	return "", false
}

// generic reports whether the type of err only wraps an error or holds a text.
func generic(err error) bool {
	if _, ok := err.(*ruledError); ok { //nolint:errorlint // the type itself is asked for.
		return true
	}
	t := reflect.TypeOf(err)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == "errors" || t.PkgPath() == "fmt"
}

// rootClass is the class of the innermost error. Of joined errors it follows the
// first.
func rootClass(err error) string {
	for {
		var next error
		switch e := err.(type) { //nolint:errorlint // this walks the chain itself.
		case interface{ Unwrap() error }:
			next = e.Unwrap()
		case interface{ Unwrap() []error }:
			for _, branch := range e.Unwrap() {
				if branch != nil {
					next = branch
					break
				}
			}
		}
		if next == nil {
			return ErrorClass(err)
		}
		err = next
	}
}

func typeName(err error) string {
	if err == nil {
		return ""
	}
	t := reflect.TypeOf(err)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}
