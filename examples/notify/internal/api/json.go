package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/botehq/bote/examples/notify/internal/text"
)

// whyNoJSON says why a body is not one JSON object, and where. err is the error of
// the decoder, nil if it found none.
func whyNoJSON(raw []byte, err error) text.Text {
	line, column := position(raw, firstInvalid(raw))
	syntax, isSyntax := errors.AsType[*json.SyntaxError](err)
	switch {
	case len(bytes.TrimSpace(raw)) == 0:
		return text.Text{EN: "The body is empty; it must be one JSON object.", KO: "본문이 비어 있습니다. JSON 객체 하나를 보내 주세요."}
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		return text.Text{
			EN: "The body begins with a byte order mark (BOM); save it as UTF-8 without BOM.",
			KO: "본문이 BOM으로 시작합니다. BOM 없는 UTF-8로 저장해 주세요.",
		}
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return text.Text{EN: "The body is UTF-16; it must be UTF-8.", KO: "본문이 UTF-16입니다. UTF-8로 보내 주세요."}
	case !utf8.Valid(raw):
		return text.Text{
			EN: fmt.Sprintf("The body is not UTF-8: line %d, character %d. A Windows console may send CP949; chcp 65001 changes that, or put the text into a UTF-8 file and send it with -d @FILE.", line, column),
			KO: fmt.Sprintf("본문이 UTF-8이 아닙니다(%d행 %d번째 글자). Windows 콘솔은 CP949로 보낼 수 있습니다. chcp 65001을 실행하거나, 내용을 UTF-8 파일에 넣고 -d @파일로 보내 주세요.", line, column),
		}
	case raw[0] == '\'':
		return text.Text{
			EN: `The body begins with a single quote. cmd.exe does not know single quotes; write -d "{\"from\": ...}" there.`,
			KO: `본문이 작은따옴표로 시작합니다. cmd.exe에서는 작은따옴표를 쓸 수 없으니 -d "{\"from\": ...}"처럼 써 주세요.`,
		}
	case isSyntax && syntax.Offset >= int64(len(raw)) && !json.Valid(raw) && syntax.Error() == "unexpected end of JSON input":
		line, column = position(raw, len(raw))
		return text.Text{
			EN: fmt.Sprintf("The JSON ends too early: line %d, after character %d.", line, column-1),
			KO: fmt.Sprintf("JSON이 중간에 끝났습니다: %d행 %d번째 글자.", line, column-1),
		}
	case isSyntax:
		line, column = position(raw, int(syntax.Offset)-1)
		return text.Text{
			EN: fmt.Sprintf("The JSON cannot be read: line %d, character %d: %v.", line, column, syntax),
			KO: fmt.Sprintf("JSON을 읽을 수 없습니다: %d행 %d번째 글자 (%v).", line, column, syntax),
		}
	}
	return text.Text{EN: "The body must be one JSON object.", KO: "본문은 JSON 객체 하나여야 합니다."}
}

// firstInvalid is the offset of the first byte that is not UTF-8.
func firstInvalid(raw []byte) int {
	at := 0
	for at < len(raw) {
		r, n := utf8.DecodeRune(raw[at:])
		if r == utf8.RuneError && n < 2 {
			return at
		}
		at += n
	}
	return at
}

// position is an offset as line and character, both from 1.
func position(raw []byte, offset int) (line, column int) {
	before := raw[:max(0, min(offset, len(raw)))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}
