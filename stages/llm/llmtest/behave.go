package llmtest

import "strings"

// behave answers as the profile's behaviour does.
func (p *profile) behave(r *Request) *Answer {
	switch p.Behaviour {
	case "flaky":
		if r.Attempt == 1 {
			return unavailable()
		}
	case "fail":
		return internalError()
	case "length":
		text := []rune(r.Prompt())
		return &Answer{Content: string(text[:len(text)/2]), FinishReason: "length"}
	case "refuse":
		return &Answer{Refusal: "I'm sorry, but I can't help with that."}
	}
	return echo(r)
}

// echo answers with the last user message, calls the tools that it asks for, or joins their results, in the form that
// response_format asks for.
func echo(r *Request) *Answer {
	text := r.Prompt()
	if len(r.Tools) > 0 {
		if results := r.ToolResults(); len(results) > 0 {
			text = strings.Join(results, "; ")
		} else if calls := chooseTools(r); len(calls) > 0 {
			return &Answer{ToolCalls: calls}
		}
	}
	return Text(structured(r.ResponseFormat, text))
}
