package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/botehq/bote/examples/notify/internal/app"
	"github.com/botehq/bote/examples/notify/internal/text"
)

// announce prints where everything is. It ignores write errors, because nothing
// depends on whether anybody reads it.
func (o *options) announce(at app.Addresses, away bool, lang text.Lang, w io.Writer) {
	if o.printJSON {
		_ = json.NewEncoder(w).Encode(at)
		return
	}
	_, _ = io.WriteString(w, banner(at, away, lang))
}

// banner is the addresses and the first thing to try.
func banner(at app.Addresses, away bool, lang text.Lang) string {
	t := func(en, ko string) string { return text.Text{EN: en, KO: ko}.In(lang) }
	var b strings.Builder
	b.WriteString("bote-notify\n\n")
	line := func(label, value, remark string) {
		if value != "" {
			fmt.Fprintf(&b, "  %s  %-30s %s\n", label, value, remark)
		}
	}
	data := ""
	if at.Data != "" {
		data = t("data in ", "데이터: ") + at.Data
	}
	line("Kafka   ", at.Kafka, data)
	if at.API != "" {
		line("API     ", at.API, at.API+"/docs")
	}
	if at.Worker != "" {
		line("Worker  ", at.Worker, at.Worker+"/metrics")
	}
	line("SMTP    ", at.SMTP, "")
	line("Mailbox ", at.Mailbox, t("what was sent, and switches to make it fail", "보낸 메시지 보기, 실패 스위치"))
	if away {
		fmt.Fprintf(&b, "\n%s\n", t("Not ready yet: no broker answers at "+at.Kafka+". Everything goes on by itself when one does.",
			"아직 준비되지 않았습니다. "+at.Kafka+"에서 응답하는 브로커가 없습니다. 브로커가 응답하면 자동으로 시작됩니다."))
	}
	if at.API != "" && !away {
		fmt.Fprintf(&b, "\n%s\n\n%s\n", t("Try:", "다음과 같이 시험해 보세요:"), curl(at.API))
	}
	fmt.Fprintf(&b, "\n%s\n", t("Ctrl-C lets work in progress finish, then exits.", "Ctrl-C를 누르면 처리 중인 일을 마치고 종료합니다."))
	return b.String()
}

func curl(api string) string {
	return `  curl -i -X POST ` + api + `/api/emails/send \
  -H "Content-Type: application/json" \
  -d '{
    "from": "sender@example.com",
    "to": "receiver@example.com",
    "subject": "테스트 제목",
    "body": "테스트 내용"
  }'`
}
