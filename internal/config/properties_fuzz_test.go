package config

import (
	"bytes"
	"testing"
)

// FuzzProperties: any file, and any settings in it, are accepted or refused; neither parser panics.
func FuzzProperties(f *testing.F) {
	f.Add([]byte("node.id=1\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@localhost:9093\n"))
	f.Add([]byte("a\\ b : \\u00e9\\\n  c\n!x\n#y"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		values, err := ParseProperties(bytes.NewReader(raw))
		if err != nil {
			return
		}
		server, warnings, err := ParseServer(values)
		if err == nil && server.NodeID < 0 {
			t.Fatalf("node.id %d", server.NodeID)
		}
		for _, w := range warnings {
			if w.String() == "" {
				t.Fatal("an empty warning")
			}
		}
	})
}
