package compat

import (
	"path/filepath"
	"testing"
)

// java returns the command line of a class of Apache Kafka's or ours.
func java(t *testing.T, class string, args ...string) program {
	t.Helper()
	cache := cacheDir(t)
	path := filepath.Join(cache, "java", "classes") + ":" + filepath.Join(cache, "java", "libs", "*")
	return program{args: append([]string{
		"java", "-Xmx400m", "-Dlog4j2.configurationFile=java/log4j2.properties", "-cp", path, class,
	}, args...)}
}

func TestJavaClients(t *testing.T) {
	needCompat(t)
	install(t, "java")
	onEach(t, []string{"group.consumer.min.heartbeat.interval.ms=300", "group.consumer.heartbeat.interval.ms=300"}, func(t *testing.T, b broker) {
		checks(t, b, 77, java(t, "Compat", b.addr))
	})
}
