// Package report stores what was measured and writes it: as JSON with every round,
// and as a table of medians, spread and targets for people.
//
// It knows columns, cells, rounds and numbers by name; the sections that it is
// given say what they mean. It measures nothing.
package report

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/botehq/bote/bench/proc"
)

// Data is everything that was measured. It is not safe for concurrent use.
type Data struct {
	Began    time.Time         `json:"began"`
	Took     time.Duration     `json:"took_ns"`
	Quick    bool              `json:"quick"`
	Machine  proc.Machine      `json:"machine"`
	Versions map[string]string `json:"versions"`
	Columns  []Column          `json:"columns"`
	Cells    []*Cell           `json:"cells"`
}

// Column is a broker that was measured.
type Column struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

// Cell is all rounds of one measurement of one column.
type Cell struct {
	Name    string             `json:"name"`
	Column  string             `json:"column"`
	Rounds  []Round            `json:"rounds"`
	Medians map[string]float64 `json:"medians,omitempty"` // of the rounds that have the value
}

// Round is what one round measured, and the error if it did not measure everything.
type Round struct {
	Values map[string]float64 `json:"values,omitempty"`
	Error  string             `json:"error,omitempty"`
}

// Add adds a round of a cell.
func (d *Data) Add(cell, column string, values map[string]float64, err error) {
	c := d.cell(cell, column)
	if c == nil {
		c = &Cell{Name: cell, Column: column}
		d.Cells = append(d.Cells, c)
	}
	round := Round{Values: values}
	if err != nil {
		round.Error = err.Error()
	}
	c.Rounds = append(c.Rounds, round)
	c.Medians = map[string]float64{}
	for name := range c.names() {
		c.Medians[name] = c.values(name).median()
	}
}

func (d *Data) cell(name, column string) *Cell {
	for _, c := range d.Cells {
		if c.Name == name && c.Column == column {
			return c
		}
	}
	return nil
}

// values returns the values of a name in a cell, from all rounds that have it.
func (d *Data) values(cell, column, name string) sample {
	c := d.cell(cell, column)
	if c == nil {
		return nil
	}
	return c.values(name)
}

// failed returns how many rounds of a cell have an error, and one of the errors.
func (d *Data) failed(cell, column string) (rounds int, why string) {
	c := d.cell(cell, column)
	if c == nil {
		return 0, ""
	}
	for _, round := range c.Rounds {
		if round.Error != "" {
			rounds, why = rounds+1, round.Error
		}
	}
	return rounds, why
}

func (c *Cell) names() map[string]bool {
	names := map[string]bool{}
	for _, round := range c.Rounds {
		for name := range maps.Keys(round.Values) {
			names[name] = true
		}
	}
	return names
}

func (c *Cell) values(name string) sample {
	var all sample
	for _, round := range c.Rounds {
		if value, ok := round.Values[name]; ok {
			all = append(all, value)
		}
	}
	slices.Sort(all)
	return all
}

// sample is sorted values of the same measurement.
type sample []float64

// median returns the middle value, or the mean of the two in the middle. The sample
// must not be empty.
func (s sample) median() float64 {
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// text returns the median, with the least and the greatest value if there are
// several.
func (s sample) text() string {
	switch len(s) {
	case 0:
		return ""
	case 1:
		return number(s[0])
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.median()), number(s[0]), number(s[len(s)-1]))
}

// number formats a number with about three digits.
func number(x float64) string {
	abs := max(x, -x)
	switch {
	case abs >= 100:
		return thousands(int64(x + 0.5))
	case abs >= 10:
		return fmt.Sprintf("%.1f", x)
	case abs == 0:
		return "0"
	}
	return fmt.Sprintf("%.2f", x)
}

func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
