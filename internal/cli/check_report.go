package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/botehq/bote/internal/storage/commitlog"
)

// print writes the report: the partitions, what was found, and a line that sums it up.
func (o *checkOptions) print(s *streams, r *commitlog.CheckReport) error {
	if o.output == "json" {
		return writeObject(s.out, r)
	}
	t := newTable(s.out, false, "PARTITION", "SEGMENTS", "BATCHES", "RECORDS", "BYTES", "START", "END", "EPOCHS", "RESULT")
	var sum commitlog.PartitionReport
	for _, p := range r.Partitions {
		t.cells(fmt.Sprintf("%s-%d", p.Topic, p.Partition), p.Segments, p.Batches, p.Records, p.Bytes, p.Start, p.End, p.Epochs, checkResult(p))
		sum.Segments += p.Segments
		sum.Records += p.Records
		sum.Bytes += p.Bytes
		sum.Damaged += p.Damaged
		sum.Remarks += p.Remarks
	}
	if err := t.flush(); err != nil {
		return err
	}
	s.printf("\n")
	for _, f := range r.Findings {
		printFinding(s, f)
		if f.Damage {
			sum.Damaged++
		} else {
			sum.Remarks++
		}
	}
	for _, p := range r.Partitions {
		for _, f := range p.Findings {
			printFinding(s, f)
		}
		if more := p.Damaged + p.Remarks - int64(len(p.Findings)); more > 0 {
			s.printf("... and %d more in %s-%d\n", more, p.Topic, p.Partition)
		}
	}
	if !r.Clean {
		s.printf("The broker was not stopped cleanly: the next start looks at what was written last, and cuts off a batch that is not whole.\n")
	}
	s.printf("%d partitions, %d segments, %d records, %d bytes: ", len(r.Partitions), sum.Segments, sum.Records, sum.Bytes)
	if sum.Damaged == 0 {
		s.printf("all is well.\n")
		return nil
	}
	s.printf("%d found damaged.\n", sum.Damaged)
	return nil
}

func checkResult(p *commitlog.PartitionReport) string {
	if p.Damaged > 0 {
		return fmt.Sprintf("%d damaged", p.Damaged)
	}
	return "ok"
}

// printFinding writes where it is, from the directory down to the byte, and what it is.
func printFinding(s *streams, f commitlog.Finding) {
	kind := "remark"
	if f.Damage {
		kind = "DAMAGE"
	}
	var at strings.Builder
	at.WriteString(filepath.ToSlash(f.File))
	if f.Topic != "" && !strings.Contains(f.File, string(filepath.Separator)) {
		fmt.Fprintf(&at, ", %s-%d", f.Topic, f.Partition)
	}
	if f.Position >= 0 {
		fmt.Fprintf(&at, ", byte %d", f.Position)
	}
	if f.Offset >= 0 {
		fmt.Fprintf(&at, ", offset %d", f.Offset)
	}
	s.printf("%s %s: %s\n", kind, at.String(), f.Text)
}
