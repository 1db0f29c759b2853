package check

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
	"github.com/botehq/bote/internal/storage/commitlog"
)

// printReport writes the report: the partitions, the findings, and a line that sums them up.
func printReport(s *tool.Streams, r *commitlog.CheckReport, asJSON bool) error {
	if asJSON {
		return verb.WriteJSON(s.Out, r)
	}
	t := verb.NewTable(s.Out, false, "PARTITION", "SEGMENTS", "BATCHES", "RECORDS", "BYTES", "START", "END", "EPOCHS", "RESULT")
	var sum commitlog.PartitionReport
	for _, p := range r.Partitions {
		t.Cells(fmt.Sprintf("%s-%d", p.Topic, p.Partition), p.Segments, p.Batches, p.Records, p.Bytes, p.Start, p.End, p.Epochs, resultOf(p))
		sum.Segments += p.Segments
		sum.Records += p.Records
		sum.Bytes += p.Bytes
	}
	if err := t.Flush(); err != nil {
		return err
	}
	s.Printf("\n")
	printFindings(s, r, true)
	printFindings(s, r, false)
	for _, p := range r.Partitions {
		if more := p.Damaged + p.Remarks - int64(len(p.Findings)); more > 0 {
			s.Printf("... and %d more in %s-%d\n", more, p.Topic, p.Partition)
		}
	}
	switch {
	case !r.Used:
		s.Printf("No broker has run on this directory yet.\n")
	case !r.Clean:
		s.Printf("The broker was not stopped cleanly. Its next start checks the most recent batches and cuts off an incomplete one.\n")
	}
	s.Printf("%s, %s, %s, %s: ", verb.Count(len(r.Partitions), "partition"), verb.Count(sum.Segments, "segment"), verb.Count(sum.Records, "record"), verb.Count(sum.Bytes, "byte"))
	if n := r.Damaged(); n > 0 {
		s.Printf("%d found damaged.\n", n)
		return nil
	}
	s.Printf("all is well.\n")
	return nil
}

// printFindings writes the findings that are damage, or those that are remarks.
func printFindings(s *tool.Streams, r *commitlog.CheckReport, damage bool) {
	lists := [][]commitlog.Finding{r.Findings}
	for _, p := range r.Partitions {
		lists = append(lists, p.Findings)
	}
	for _, f := range slices.Concat(lists...) {
		if f.Damage == damage {
			printFinding(s, f)
		}
	}
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
