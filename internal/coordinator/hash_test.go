package coordinator_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/coordinator"
)

// The hashes are those of Java's String.hashCode. The hash of "polygenelubricants"
// is -2^31, which Kafka's Utils.abs turns into 0.
func TestTrap100PartitionIsJavasHashOverUTF16(t *testing.T) {
	for key, hash := range map[string]int32{
		"":                   0,
		"a":                  'a',
		"abc":                ('a'*31+'b')*31 + 'c',
		"ö":                  0xf6,
		"日本":                 0x65e5*31 + 0x672c,
		"💥":                  0xd83d*31 + 0xdca5,
		"a💥":                 ('a'*31+0xd83d)*31 + 0xdca5,
		"polygenelubricants": 0,
		"größe":              98762257,
		"console-consumer-1": 35782224,
	} {
		require.Equal(t, hash%50, coordinator.Partition(key, 50), key)
	}
}
