package delivery

import (
	"errors"
	"time"
)

// verdict is what the error of a delivery means.
type verdict struct {
	kind   verdictKind
	after  time.Duration // a delay the handler asked for
	reason Reason        // why the record is given up, if it is given up now
}

type verdictKind int

const (
	verdictDone verdictKind = iota
	verdictDrop
	verdictHalt
	verdictPermanent
	verdictRetry
)

// classify judges the error of a delivery; the first rule that matches counts.
// It is pure. Deliveries that were interrupted are not judged.
func (c *config) classify(err error) verdict {
	if err == nil {
		return verdict{kind: verdictDone}
	}
	if r, ok := errors.AsType[*ruledError](err); ok {
		switch r.rule {
		case ruleDrop:
			return verdict{kind: verdictDrop}
		case ruleHalt:
			return verdict{kind: verdictHalt}
		case ruleRetryAfter:
			return verdict{kind: verdictRetry, after: r.after, reason: failureReason(err)}
		case rulePermanent:
			return verdict{kind: verdictPermanent, reason: ReasonPermanent}
		}
	}
	reason := failureReason(err)
	if reason == ReasonDecode {
		return verdict{kind: verdictPermanent, reason: reason}
	}
	if reason == ReasonExhausted && c.retryIf != nil && !c.retryIf(err) {
		return verdict{kind: verdictPermanent, reason: ReasonPermanent}
	}
	return verdict{kind: verdictRetry, reason: reason}
}

// failureReason is the reason a record has if err was its last failure.
func failureReason(err error) Reason {
	if _, ok := errors.AsType[*DecodeError](err); ok {
		return ReasonDecode
	}
	if _, ok := errors.AsType[*PanicError](err); ok || errors.Is(err, ErrGoexit) {
		return ReasonPanic
	}
	if errors.Is(err, ErrHandlerTimeout) {
		return ReasonTimeout
	}
	return ReasonExhausted
}
