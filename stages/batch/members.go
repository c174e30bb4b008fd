package batch

import "github.com/gluepipe/gluepipe/stages/internal/jsonscan"

// Members walks through a JSON object and calls visit with each member, in their order, until visit returns false. It is
// for sources and sinks that read many lines and need little of them. name and value share the object's memory; value is
// valid JSON, without space around it. It tells whether all of it was visited, and nothing follows it.
//
// It does not visit all where the object is not valid, nor where it is unusual, with escapes in a name or hundreds of
// levels: encoding/json then reads it, or says what is wrong.
func Members(object []byte, visit func(name, value []byte) bool) bool {
	s := jsonscan.New(object)
	for name, ok := s.Object(); ok; name, ok = s.Member() {
		if value := s.Value(); value == nil || !visit(name, value) {
			return false
		}
	}
	return s.End()
}
