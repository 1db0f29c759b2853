package client

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJaas(t *testing.T) {
	got := jaas(`org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="p\"=; q" x='y';`)
	require.Equal(t, map[string]string{"username": "alice", "password": `p"=; q`, "x": "y"}, got)
}
