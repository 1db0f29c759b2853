package mailbox

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Mode says what happens to messages.
type Mode string

// The modes.
const (
	ModeOK        Mode = "ok"
	ModeTemporary Mode = "4xx" // fail as if another attempt may help
	ModePermanent Mode = "5xx" // fail for good
)

const (
	maxFailNext = 1000
	maxSlow     = 30 * time.Second
)

// Switch is a setting of the faults.
type Switch struct {
	Mode     Mode  `json:"mode"`
	FailNext int   `json:"failNext"` // so many messages fail with 4xx (5xx if that is the mode), then the mode counts
	SlowMS   int64 `json:"slowMs"`   // how long each message takes, in ms
}

// Check says what is wrong with a setting.
func (s Switch) Check() error {
	switch {
	case s.Mode != ModeOK && s.Mode != ModeTemporary && s.Mode != ModePermanent:
		return fmt.Errorf("mode must be %q, %q or %q", ModeOK, ModeTemporary, ModePermanent)
	case s.FailNext < 0 || s.FailNext > maxFailNext:
		return fmt.Errorf("failNext must be between 0 and %d", maxFailNext)
	case s.SlowMS < 0 || s.SlowMS > maxSlow.Milliseconds():
		return fmt.Errorf("slowMs must be between 0 and %d", maxSlow.Milliseconds())
	}
	return nil
}

// Faults decide which messages fail. The zero value lets all pass. It is safe for
// concurrent use.
type Faults struct {
	mu  sync.Mutex
	now Switch
}

// Set changes the switches.
func (f *Faults) Set(s Switch) error {
	if err := s.Check(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = s
	return nil
}

// Get is the setting, with what is left of FailNext.
func (f *Faults) Get() Switch {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.now
	if s.Mode == "" {
		s.Mode = ModeOK
	}
	return s
}

// next decides what happens to one message, after the time that SlowMS sets.
func (f *Faults) next(ctx context.Context) (Mode, error) {
	mode, slow := f.take()
	if slow == 0 {
		return mode, nil
	}
	wait := time.NewTimer(slow)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return mode, ctx.Err()
	case <-wait.C:
		return mode, nil
	}
}

func (f *Faults) take() (Mode, time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slow := time.Duration(f.now.SlowMS) * time.Millisecond
	if f.now.FailNext > 0 {
		f.now.FailNext--
		if f.now.Mode == ModePermanent {
			return ModePermanent, slow
		}
		return ModeTemporary, slow
	}
	if f.now.Mode == "" {
		return ModeOK, slow
	}
	return f.now.Mode, slow
}
