package group

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestTagsThatAreNotThere: a value that claims more tagged fields than it has is
// refused, and quickly.
func TestTagsThatAreNotThere(t *testing.T) {
	t.Parallel()
	endless := []byte{0xff, 0xff, 0xff, 0xff, 0x0f}
	o := kmsg.NewOffsetCommitValue()
	o.Version, o.Metadata, o.TopicID = flexibleValue, "meta", [16]byte{1}
	g := kmsg.NewGroupMetadataValue()
	g.Version, g.ProtocolType, g.Protocol, g.Leader = flexibleValue, "consumer", new("range"), new("m")
	m := kmsg.NewGroupMetadataValueMember()
	m.MemberID, m.InstanceID, m.Subscription, m.Assignment = "m", new("i"), []byte("s"), []byte("a")
	m.UnknownTags.Set(7, []byte("x"))
	g.Members = append(g.Members, m, kmsg.NewGroupMetadataValueMember())

	read, err := readOffset(o.AppendTo(nil))
	require.NoError(t, err)
	require.Equal(t, o.TopicID, read.topicID)
	group, err := readGroup(g.AppendTo(nil))
	require.NoError(t, err)
	require.Len(t, group.Members, 2)

	o.TopicID = [16]byte{}
	plain, whole := o.AppendTo(nil), g.AppendTo(nil)
	began := time.Now()
	_, err = readOffset(append(plain[:len(plain)-1], endless...))
	require.ErrorIs(t, err, errTags)
	_, err = readGroup(append(whole[:len(whole)-1:len(whole)-1], endless...)) // of the value
	require.ErrorIs(t, err, errTags)
	_, err = readGroup(append(whole[:len(whole)-2:len(whole)-2], endless...)) // of the last member
	require.ErrorIs(t, err, errTags)
	require.Less(t, time.Since(began), 5*time.Second)
}
