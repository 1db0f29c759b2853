package check

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
	"github.com/botehq/bote/internal/storage/commitlog"
)

// print writes the report: the partitions, the findings, and a line that sums them up.
func (o *options) print(s *tool.Streams, r *commitlog.CheckReport) error {
	if o.output == "json" {
		return verb.WriteJSON(s.Out, r)
	}
	t := verb.NewTable(s.Out, false, "PARTITION", "SEGMENTS", "BATCHES", "RECORDS", "BYTES", "START", "END", "EPOCHS", "RESULT")
	var sum commitlog.PartitionReport
	for _, p := range r.Partitions {
		t.Cells(fmt.Sprintf("%s-%d", p.Topic, p.Partition), p.Segments, p.Batches, p.Records, p.Bytes, p.Start, p.End, p.Epochs, resultOf(p))
		sum.Segments += p.Segments
		sum.Records += p.Records
		sum.Bytes += p.Bytes
		sum.Damaged += p.Damaged
		sum.Remarks += p.Remarks
	}
	if err := t.Flush(); err != nil {
		return err
	}
	s.Printf("\n")
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
			s.Printf("... and %d more in %s-%d\n", more, p.Topic, p.Partition)
		}
	}
	if !r.Clean {
		s.Printf("The broker was not stopped cleanly. Its next start checks the most recent batches and cuts off an incomplete one.\n")
	}
	s.Printf("%d partitions, %d segments, %d records, %d bytes: ", len(r.Partitions), sum.Segments, sum.Records, sum.Bytes)
	if sum.Damaged == 0 {
		s.Printf("all is well.\n")
		return nil
	}
	s.Printf("%d found damaged.\n", sum.Damaged)
	return nil
}

func resultOf(p *commitlog.PartitionReport) string {
	if p.Damaged > 0 {
		return fmt.Sprintf("%d damaged", p.Damaged)
	}
	return "ok"
}

// printFinding writes the file, partition, byte and offset of a finding, as far as they are known, and what was found.
func printFinding(s *tool.Streams, f commitlog.Finding) {
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
	s.Printf("%s %s: %s\n", kind, at.String(), f.Text)
}
