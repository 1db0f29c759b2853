package mailbox

import "github.com/botehq/bote/examples/notify/internal/text"

// words are the texts of the page in a language.
func words(l text.Lang) map[string]string {
	out := map[string]string{}
	for name, t := range map[string]text.Text{
		"title":       {EN: "Mailbox", KO: "메일함"},
		"intro":       {EN: "What the worker sent, and what it gave up on.", KO: "워커가 보낸 메시지와 끝내 보내지 못한 메시지(데드 레터)를 보여 줍니다."},
		"real":        {EN: "Mails go to a real server and are not shown here:", KO: "메일은 실제 서버로 전송되어 여기에는 표시되지 않습니다:"},
		"switches":    {EN: "Failure switches", KO: "실패 스위치"},
		"mode":        {EN: "Mail server", KO: "메일 서버"},
		"ok":          {EN: "works", KO: "정상"},
		"4xx":         {EN: "temporary error 451 (retried)", KO: "일시 오류 451 (재시도함)"},
		"5xx":         {EN: "permanent error 550 (dead letter)", KO: "영구 오류 550 (재시도 없이 데드 레터로)"},
		"failNext":    {EN: "Fail the next N messages, then go on as set", KO: "다음 N건만 실패시키고 이후는 위 설정대로"},
		"slow":        {EN: "Delay per message (ms)", KO: "메시지당 지연(ms)"},
		"apply":       {EN: "Apply", KO: "적용"},
		"clear":       {EN: "Empty the mailbox", KO: "메일함 비우기"},
		"empty":       {EN: "Nothing has arrived yet.", KO: "아직 도착한 메시지가 없습니다."},
		"from":        {EN: "from", KO: "보낸 사람"},
		"to":          {EN: "to", KO: "받는 사람"},
		"mail":        {EN: "Mail", KO: "메일"},
		"sms":         {EN: "SMS", KO: "문자"},
		"dead-letter": {EN: "Dead letter", KO: "데드 레터"},
		"alert":       {EN: "Alert", KO: "알림"},
		"confirm":     {EN: "Remove all messages from the mailbox? They cannot be brought back.", KO: "메일함의 메시지를 모두 지울까요? 되돌릴 수 없습니다."},
		"progress":    {EN: "On the way", KO: "처리 중"},
		"retrying":    {EN: "attempt {n} of {max} in {s} s", KO: "{s}초 뒤 {n}번째 시도(최대 {max}번)"},
		"sending":     {EN: "attempt {n} of {max} runs", KO: "{n}번째 시도 중(최대 {max}번)"},
		"updated":     {EN: "connection lost, trying again", KO: "연결이 끊겨 다시 연결하는 중"},
	} {
		out[name] = t.In(l)
	}
	return out
}
