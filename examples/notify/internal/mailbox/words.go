package mailbox

import "github.com/botehq/bote/examples/notify/internal/text"

// words are the texts of the page in a language.
func words(l text.Lang) map[string]string {
	out := map[string]string{}
	for name, t := range map[string]text.Text{
		"title":       {EN: "Mailbox", KO: "메일함"},
		"intro":       {EN: "What the worker sent, and what it gave up.", KO: "워커가 보낸 것과 포기한 것을 보여 줍니다."},
		"real":        {EN: "Mails go to a real server and are not shown here:", KO: "메일은 실제 서버로 전송되며 여기에는 보이지 않습니다:"},
		"switches":    {EN: "Failure switches", KO: "실패 스위치"},
		"mode":        {EN: "Server", KO: "서버"},
		"ok":          {EN: "works", KO: "정상"},
		"4xx":         {EN: "fails with 4xx (is tried again)", KO: "4xx 실패 (재시도)"},
		"5xx":         {EN: "fails with 5xx (dead letter at once)", KO: "5xx 실패 (바로 dead letter)"},
		"failNext":    {EN: "Fail the next", KO: "다음 n건 실패"},
		"slow":        {EN: "Slow, ms each", KO: "지연 (건당 ms)"},
		"apply":       {EN: "Apply", KO: "적용"},
		"clear":       {EN: "Empty the mailbox", KO: "메일함 비우기"},
		"empty":       {EN: "Nothing has arrived yet.", KO: "아직 도착한 것이 없습니다."},
		"from":        {EN: "from", KO: "보낸 사람"},
		"to":          {EN: "to", KO: "받는 사람"},
		"mail":        {EN: "Mail", KO: "메일"},
		"sms":         {EN: "SMS", KO: "문자"},
		"dead-letter": {EN: "Dead letter", KO: "Dead letter"},
		"alert":       {EN: "Alert", KO: "알림"},
		"updated":     {EN: "connection lost, trying again", KO: "연결이 끊겨 다시 시도 중"},
	} {
		out[name] = t.In(l)
	}
	return out
}
