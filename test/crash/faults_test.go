package crash_test

import "time"

// faults returns all faults, in the order of the table. Those that are impossible on
// this system say why.
func faults() []fault {
	all := []fault{{name: "kill -9", run: kill}}
	all = append(all, processFaults()...)
	return append(all, diskFaults()...)
}

func kill(l *lab) *progress {
	l.d.kill()
	if l.rng.IntN(4) == 0 { // once more during recovery
		l.d.launch(l.t)
		l.pause(time.Millisecond, 80*time.Millisecond)
		l.d.kill()
	}
	return l.restart()
}
