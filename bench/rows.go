package main

import (
	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/bench/report"
)

// least and most are targets relative to Kafka; under is an absolute target.
func least(column string, factor float64) report.Target {
	return report.Target{Column: column, Than: kafka, Limit: factor}
}

func most(column string, factor float64) report.Target {
	return report.Target{Column: column, Than: kafka, Most: true, Limit: factor}
}

func under(limit float64) []report.Target {
	return []report.Target{{Column: boteOS, Most: true, Limit: limit}, {Column: boteCommit, Most: true, Limit: limit}}
}

// sections returns the tables, row by row, with the targets.
func sections() []report.Section {
	return []report.Section{
		{Title: "Produce and consume", Note: "MB/s of values (10^6 bytes); CPU seconds of the broker per 10^9 bytes; memory of the broker in MB of 2^20 bytes. One Go client, but for the rows of Kafka's own tools.", Rows: throughputRows()},
		{Title: "A core for the broker, another for the client", Note: pinnedNote, Rows: pinnedRows()},
		{Title: "Latency", Note: "Milliseconds. End to end is from the call to send until a consumer has the record; with many partitions it is until the broker has answered. Cores is the broker's CPU time per second.", Rows: latencyRows()},
		{Title: "Start, memory, many small things", Rows: manyRows()},
		{Title: "Recovery", Note: "10 GB in 100 partitions of the page cache, after kill -9.", Rows: []report.Row{
			{Cell: "recovery", Value: killedMS, Label: "first answer after exec, ms", Targets: under(1000)},
			{Cell: "recovery", Value: killedServed, Label: "all partitions answer, ms"},
			{Cell: "recovery", Value: killedCPU, Label: "CPU seconds until then"},
			{Cell: "recovery", Value: lostRecords, Label: "acknowledged records lost", Targets: under(0)},
		}},
	}
}

func throughputRows() []report.Row {
	produceRate := []report.Target{least(boteOS, 3), least(boteCommit, 1.5)}
	produceCPU := []report.Target{most(boteOS, 0.25)}
	consumeRate := []report.Target{least(boteOS, 1), least(boteCommit, 1)}
	consumeCPU := []report.Target{most(boteOS, 1), most(boteCommit, 1)}
	rows := []report.Row{
		{Cell: "fresh", Value: producePrefix + load.MBPerS, Label: "produce 1 KiB, 6 partitions, acks=all, to a broker just started, MB/s", Targets: produceRate},
		{Cell: "fresh", Value: producePrefix + load.CPUPerGB, Label: "— CPU s/GB", Targets: produceCPU},
		{Cell: "fresh", Value: producePrefix + load.Peak, Label: "— peak memory, MB"},
		{Cell: "fresh", Value: consumePrefix + load.MBPerS, Label: "consume it from the page cache, MB/s", Targets: consumeRate},
		{Cell: "fresh", Value: consumePrefix + load.CPUPerGB, Label: "— CPU s/GB", Targets: consumeCPU},
		{Cell: "base", Value: producePrefix + load.MBPerS, Label: "produce the same, warmed up, MB/s", Targets: produceRate},
		{Cell: "base", Value: producePrefix + load.CPUPerGB, Label: "— CPU s/GB", Targets: produceCPU},
		{Cell: "base", Value: producePrefix + load.Resident, Label: "— memory afterwards, MB"},
		{Cell: "base", Value: producePrefix + load.Peak, Label: "— peak memory, MB", Targets: under(100)},
		{Cell: "base", Value: consumePrefix + load.MBPerS, Label: "consume it from the page cache, MB/s", Targets: consumeRate},
		{Cell: "base", Value: consumePrefix + load.CPUPerGB, Label: "— CPU s/GB", Targets: consumeCPU},
	}
	peak := map[string][]report.Target{"partitions100": under(80)}
	for _, v := range []struct{ cell, label string }{
		{"size100", "100 B"},
		{"size10k", "10 KiB"},
		{"partitions100", "100 partitions"},
		{"lz4", "lz4"},
		{"zstd", "zstd"},
		{"acks1", "acks=1"},
		{"java", "Kafka's perf tools"},
	} {
		rows = append(
			rows,
			report.Row{Cell: v.cell, Value: producePrefix + load.MBPerS, Label: "produce, " + v.label + ", MB/s"},
			report.Row{Cell: v.cell, Value: producePrefix + load.CPUPerGB, Label: "— CPU s/GB"},
			report.Row{Cell: v.cell, Value: producePrefix + load.Peak, Label: "— peak memory, MB", Targets: peak[v.cell]},
			report.Row{Cell: v.cell, Value: consumePrefix + load.MBPerS, Label: "consume, " + v.label + ", MB/s"},
			report.Row{Cell: v.cell, Value: consumePrefix + load.CPUPerGB, Label: "— CPU s/GB"},
		)
	}
	return append(
		rows,
		report.Row{Cell: "cold", Value: load.MBPerS, Label: "consume from the disk, MB/s"},
		report.Row{Cell: "cold", Value: load.CPUPerGB, Label: "— CPU s/GB"},
	)
}

const pinnedNote = "The units are those above. The raw client sends requests that it made before, and throws away what it fetches; end to end is measured with the usual client. " +
	"The bare program is no broker: it reads the same bytes from the socket, checks them, and writes them to files and back. It shows what the kernel costs."

func pinnedRows() []report.Row {
	produceRate := []report.Target{least(boteOS, 4), least(boteCommit, 3)}
	produceCPU := []report.Target{most(boteOS, 0.22), most(boteCommit, 0.25)}
	consumeRate := []report.Target{least(boteOS, 1.2), least(boteCommit, 1.2)}
	consumeCPU := []report.Target{most(boteOS, 0.8), most(boteCommit, 0.8)}
	return []report.Row{
		{Cell: "pinned-raw", Value: producePrefix + load.MBPerS, Label: "produce 1 KiB, 6 partitions, acks=all, MB/s", Targets: produceRate},
		{Cell: "pinned-raw", Value: producePrefix + load.CPUPerGB, Label: "— CPU s/GB", Targets: produceCPU},
		{Cell: "pinned-raw", Value: producePrefix + load.Cores, Label: "— cores"},
		{Cell: "pinned-raw", Value: producePrefix + load.Peak, Label: "— peak memory, MB"},
		{Cell: "pinned-raw", Value: consumePrefix + load.MBPerS, Label: "consume it from the page cache, MB/s", Targets: consumeRate},
		{Cell: "pinned-raw", Value: consumePrefix + load.CPUPerGB, Label: "— CPU s/GB", Targets: consumeCPU},
		{Cell: "pinned-raw", Value: consumePrefix + load.Cores, Label: "— cores"},
		{Cell: "pinned-raw", Value: sendfilePrefix + load.MBPerS, Label: "the same by sendfile, MB/s"},
		{Cell: "pinned-raw", Value: sendfilePrefix + load.CPUPerGB, Label: "— CPU s/GB"},
		{Cell: "pinned-partitions100", Value: producePrefix + load.MBPerS, Label: "produce, 100 partitions, MB/s"},
		{Cell: "pinned-partitions100", Value: producePrefix + load.CPUPerGB, Label: "— CPU s/GB"},
		{Cell: "pinned-partitions100", Value: producePrefix + load.Peak, Label: "— peak memory, MB"},
		{Cell: "pinned-partitions100", Value: consumePrefix + load.MBPerS, Label: "consume, 100 partitions, MB/s"},
		{Cell: "pinned-partitions100", Value: consumePrefix + load.CPUPerGB, Label: "— CPU s/GB"},
		{Cell: "pinned-partitions100", Value: sendfilePrefix + load.MBPerS, Label: "the same by sendfile, MB/s"},
		{Cell: "pinned-partitions100", Value: sendfilePrefix + load.CPUPerGB, Label: "— CPU s/GB"},
		{Cell: "pinned-cold", Value: load.MBPerS, Label: "consume from the disk, MB/s", Targets: []report.Target{least(boteOS, 1.1), least(boteCommit, 1.1)}},
		{Cell: "pinned-cold", Value: load.CPUPerGB, Label: "— CPU s/GB", Targets: []report.Target{most(boteOS, 1), most(boteCommit, 1)}},
		{Cell: "pinned-cold", Value: sendfilePrefix + load.MBPerS, Label: "the same by sendfile, MB/s"},
		{Cell: "pinned-cold", Value: sendfilePrefix + load.CPUPerGB, Label: "— CPU s/GB"},
		{Cell: "pinned-e2e2000", Value: load.P50, Label: "end to end, 2,000/s, p50, ms", Targets: []report.Target{most(boteCommit, 1)}},
		{Cell: "pinned-e2e2000", Value: load.P99, Label: "— p99, ms"},
		{Cell: "pinned-e2e2000", Value: load.P999, Label: "— p99.9, ms"},
		{Cell: "pinned-e2e2000", Value: load.Cores, Label: "— cores", Targets: []report.Target{most(boteCommit, 0.25)}},
	}
}

func latencyRows() []report.Row {
	targets := map[string]map[string][]report.Target{
		"e2e2000":        {load.P99: {most(boteCommit, 1)}, load.P999: {most(boteCommit, 1)}, load.Cores: {most(boteCommit, 0.2)}},
		"partitions1000": {load.P99: {{Column: boteCommit, Most: true, Limit: 25}}},
	}
	var rows []report.Row
	for _, v := range []struct{ cell, prefix, label string }{
		{"e2e200", "", "end to end, 200/s"},
		{"e2e2000", "", "end to end, 2,000/s"},
		{"e2e20000", "", "end to end, 20,000/s"},
		{"partitions1000", "", "1,000 partitions, 10,000/s"},
		{"partitions10000", loadPrefix, "10,000 partitions, 10,000/s"},
	} {
		for i, value := range []string{load.P50, load.P99, load.P999, load.Cores} {
			label := []string{v.label + ", p50", "— p99", "— p99.9", "— cores"}[i]
			rows = append(rows, report.Row{Cell: v.cell, Value: v.prefix + value, Label: label, Targets: targets[v.cell][value]})
		}
	}
	return rows
}

func manyRows() []report.Row {
	return []report.Row{
		{Cell: "start", Value: answeredMS, Label: "empty directory, exec to first answer, ms", Targets: under(50)},
		{Cell: "start", Value: idleMB, Label: "memory when idle, MB", Targets: under(25)},
		{Cell: "connections", Value: load.GrowthMB, Label: "1,000 idle connections, MB more", Targets: under(30)},
		{Cell: "connections", Value: load.Growth, Label: "— KB each", Targets: under(6)},
		{Cell: "groups", Value: load.Seconds, Label: "5,000 groups join and commit, s"},
		{Cell: "groups", Value: load.Growth, Label: "— KB each"},
		{Cell: "partitions10000", Value: createS, Label: "10,000 partitions, time to create, s"},
		{Cell: "partitions10000", Value: partsMB, Label: "— memory, MB", Targets: under(150)},
		{Cell: "partitions10000", Value: partKB, Label: "— KB each"},
		{Cell: "partitions10000", Value: loadPrefix + load.Resident, Label: "— memory after a record to each, MB"},
		{Cell: "partitions10000", Value: stopS, Label: "— clean stop, s"},
		{Cell: "partitions10000", Value: cleanMS, Label: "— first answer after a clean stop, ms", Targets: under(1000)},
		{Cell: "partitions10000", Value: cleanServed, Label: "— all partitions answer, ms"},
		{Cell: "partitions10000", Value: killedMS, Label: "— first answer after kill -9, ms", Targets: under(1000)},
		{Cell: "partitions10000", Value: killedServed, Label: "— all partitions answer, ms"},
	}
}
