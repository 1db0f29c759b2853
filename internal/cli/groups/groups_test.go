package groups

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/console"
)

// tools are the tools that these tests call.
var tools = clitest.Tools{"kafka-consumer-groups": RunConsumerGroups, "kafka-console-consumer": console.RunConsumer, "kafka-console-producer": console.RunProducer}

func TestConsumerGroupsTool(t *testing.T) {
	b := clitest.Broker(t)
	require.Equal(t, 0, tools.Call(t, b, "1\n2\n3\n", "kafka-console-producer --topic one --timeout 0").Exit)
	require.Equal(t, 0, tools.Call(t, b, "", "kafka-console-consumer --topic one --group email-send-group --from-beginning --max-messages 2").Exit)
	require.Equal(t, clitest.Result{Out: "email-send-group\n"}, tools.Call(t, b, "", "kafka-consumer-groups --list"))
	require.Equal(t, "GROUP                      STATE               \nemail-send-group           Empty               \n", tools.Call(t, b, "", "kafka-consumer-groups --list --state").Out)

	const head = "\nGROUP            TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\n"
	require.Equal(t, clitest.Result{
		Out: head + "email-send-group one             0          2               3               1               -               -               -\n",
		Err: "\nConsumer group 'email-send-group' has no active members.\n",
	}, tools.Call(t, b, "", "kafka-consumer-groups --describe --group email-send-group"))

	const plan = "\nGROUP            TOPIC           PARTITION  NEW-OFFSET\nemail-send-group one             0          "
	require.Equal(t, clitest.Result{Out: plan + "0\n"}, tools.Call(t, b, "", "kafka-consumer-groups --reset-offsets --group email-send-group --topic one --to-earliest --dry-run"))
	got := tools.Call(t, b, "", "kafka-consumer-groups --reset-offsets --group email-send-group --all-topics --to-offset 99 --execute")
	require.Equal(t, plan+"3\n", got.Out)
	require.Contains(t, got.Err, "WARN New offset (99) is higher than latest offset for topic partition one-0. Value will be set to 3 (org.apache.kafka.tools.OffsetsUtils)")
	require.Equal(t, plan+"1\n", tools.Call(t, b, "", "kafka-consumer-groups --reset-offsets --group email-send-group --topic one:0 --shift-by -2 --execute").Out)
	require.Equal(t, "one,0,1\n\n", tools.Call(t, b, "", "kafka-consumer-groups --reset-offsets --group email-send-group --topic one --to-current --export --dry-run").Out)

	require.Equal(t, "\nTOPIC           PARTITION  STATUS         \none             0          Successful     \n",
		strings.TrimPrefix(tools.Call(t, b, "", "kafka-consumer-groups --delete-offsets --group email-send-group --topic one").Out, "Request succeeded for deleting offsets from group email-send-group.\n"))
	require.Equal(t, "Deletion of requested consumer groups ('email-send-group') was successful.\n", tools.Call(t, b, "", "kafka-consumer-groups --delete --group email-send-group").Out)
	got = tools.Call(t, b, "", "kafka-consumer-groups --delete --group nope")
	require.Equal(t, clitest.Result{Out: "\nError: Deletion of some consumer groups failed:\n* Group 'nope' could not be deleted due to: org.apache.kafka.common.errors.GroupIdNotFoundException: The group id does not exist.\n"}, got)
}

func TestDateTime(t *testing.T) {
	want := time.Date(2026, 2, 1, 10, 0, 0, 0, time.UTC)
	for _, text := range []string{"2026-02-01T10:00:00.000", "2026-02-01T10:00:00.000Z", "2026-02-01T19:00:00.000+09:00", "2026-02-01T19:00:00.000+0900"} {
		got, err := parseDateTime(text)
		require.NoError(t, err, text)
		require.True(t, want.Equal(got), text)
	}
	for _, text := range []string{"2024-01-01T00:00:00.000+02", "2024-01-01T00:00:00+02", "2024-01-01T00:00:00.000+02:00"} {
		at, err := parseDateTime(text)
		require.NoError(t, err, text)
		require.Equal(t, "2023-12-31T22:00:00Z", at.UTC().Format(time.RFC3339))
	}
	_, err := parseDateTime("yesterday")
	require.EqualError(t, err, "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to ISO8601 format")
}
