package sink

import "github.com/gluepipe/gluepipe/stages/batch"

// scanResult reads a line that looks as [batch.Result.AppendJSON] writes it, many times as fast as encoding/json does. It
// returns false for any other line: that may be a record all the same.
func scanResult(line []byte, to *record) (ok bool) {
	s := jsonScanner{text: line}
	*to = record{}
	if !s.cut(`{"id":`) {
		return false
	}
	if to.id, ok = s.plainString(); !ok || !s.cut(`,"index":`) {
		return false
	}
	if to.index, ok = s.whole(); !ok || !s.cut(`,"success":`) {
		return false
	}
	if to.success = s.cut("true"); !to.success && !s.cut("false") {
		return false
	}
	for _, member := range resultMembers {
		if s.cut(member.key) && !member.read(&s, to) {
			return false
		}
	}
	return s.cut("}") && s.at == len(line)
}

// resultMembers are those behind the success, each of which may be missing.
var resultMembers = []struct {
	key  string
	read func(*jsonScanner, *record) bool
}{
	{`,"response":`, skipMember},
	{`,"structured_output":`, skipMember},
	{`,"embedding":`, skipMember},
	{`,"tool_calls":`, skipMember},
	{`,"tool_calls_made":`, skipMember},
	{`,"tool_execution_history":`, skipMember},
	{`,"tokens_used":`, readTokens},
	{`,"error":`, skipMember},
	{`,"error_type":`, readErrorType},
	{`,"metadata":`, skipMember},
	{`,"row":`, skipMember},
	{`,"elapsed_time":`, readElapsedTime},
	{`,"wait_time":`, skipMember},
	{`,"model":`, skipMember},
	{`,"finish_reason":`, skipMember},
	{`,"attempts":`, skipMember},
	{`,"cost_usd":`, readCost},
	{`,"fingerprint":`, readFingerprint},
}

func skipMember(s *jsonScanner, _ *record) bool { return s.skip(0) }

func readTokens(s *jsonScanner, to *record) bool {
	var u batch.TokenUsage
	for _, count := range []struct {
		key string
		n   *int64
	}{{`{"prompt":`, &u.Prompt}, {`,"completion":`, &u.Completion}, {`,"total":`, &u.Total}} {
		n, ok := int64(0), s.cut(count.key)
		if ok {
			n, ok = s.whole()
		}
		if !ok {
			return false
		}
		*count.n = n
	}
	to.tokensUsed = &u
	return s.cut("}")
}

func readErrorType(s *jsonScanner, to *record) bool {
	text, ok := s.plainString()
	to.errorType = batch.ErrorKind(text)
	return ok
}

func readElapsedTime(s *jsonScanner, to *record) bool {
	f, ok := s.float()
	to.elapsedTime = seconds(f)
	return ok
}

func readCost(s *jsonScanner, to *record) bool {
	f, ok := s.float()
	to.costUSD = &f
	return ok
}

func readFingerprint(s *jsonScanner, to *record) (ok bool) {
	to.fingerprint, ok = s.plainString()
	return ok
}
