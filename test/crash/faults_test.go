package crash_test

import "time"

// faults are all of them, in the order of the table. Those that a system cannot do
// have their reason.
func faults() []fault {
	all := []fault{{name: "kill -9", run: kill}}
	all = append(all, processFaults()...)
	return append(all, diskFaults()...)
}

func kill(l *lab) *progress {
	l.d.kill()
	if l.rng.IntN(4) == 0 { // and once more while it recovers
		l.d.launch(l.t)
		l.pause(time.Millisecond, 80*time.Millisecond)
		l.d.kill()
	}
	return l.restart()
}
