package wire

import (
	"math"
	"runtime/debug"
)

// Bounds of the memory that requests, and answers, may take by default.
const (
	leastBudget = 64 << 20
	mostBudget  = 512 << 20
	budgetOf    = 8 // one part in so many of the memory
)

// defaultBudget is an eighth of the memory that the process may use: as much as
// the garbage collector was told, or the machine has.
func defaultBudget() int64 {
	memory := debug.SetMemoryLimit(-1)
	if physical := physicalMemory(); physical > 0 {
		memory = min(memory, physical)
	} else if memory == math.MaxInt64 {
		memory = 0
	}
	return min(max(memory/budgetOf, leastBudget), mostBudget)
}
