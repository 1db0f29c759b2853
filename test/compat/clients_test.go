package compat

import (
	"path/filepath"
	"testing"
)

// TestLibrdkafka runs confluent-kafka for Python, which uses librdkafka.
func TestLibrdkafka(t *testing.T) {
	needCompat(t)
	install(t, "python")
	onEach(t, nil, func(t *testing.T, b broker) {
		checks(t, b, 13, python(t, "librdkafka.py", b))
	})
}

// TestKafkaPython runs kafka-python, which shares no code with the others.
func TestKafkaPython(t *testing.T) {
	needCompat(t)
	install(t, "python")
	onEach(t, nil, func(t *testing.T, b broker) {
		checks(t, b, 8, python(t, "kafka_python.py", b))
	})
}

func python(t *testing.T, script string, b broker) program {
	t.Helper()
	return program{
		args: []string{filepath.Join(cacheDir(t), "python", "bin", "python"), filepath.Join("python", script), b.addr},
		env:  []string{"PYTHONDONTWRITEBYTECODE=1"},
	}
}

// TestKafkaJS runs KafkaJS on Node.
func TestKafkaJS(t *testing.T) {
	needCompat(t)
	install(t, "node")
	onEach(t, nil, func(t *testing.T, b broker) {
		checks(t, b, 9, program{
			args: []string{"node", filepath.Join("node", "kafkajs.js"), b.addr},
			env:  []string{"NODE_PATH=" + filepath.Join(cacheDir(t), "node", "node_modules"), "KAFKAJS_NO_PARTITIONER_WARNING=1"},
		})
	})
}
