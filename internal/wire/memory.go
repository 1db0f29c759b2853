package wire

import (
	"math"
	"runtime/debug"
)

// Bounds of the default memory for requests and for answers.
const (
	leastBudget = 64 << 20
	mostBudget  = 512 << 20
	budgetOf    = 8 // one part in so many of the memory
)

// defaultBudget returns an eighth of the memory that the process may use: the garbage
// collector's memory limit or the machine's memory, whichever is less.
func defaultBudget() int64 {
	memory := debug.SetMemoryLimit(-1)
	if physical := physicalMemory(); physical > 0 {
		memory = min(memory, physical)
	} else if memory == math.MaxInt64 {
		memory = 0
	}
	return min(max(memory/budgetOf, leastBudget), mostBudget)
}
