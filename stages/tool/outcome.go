package tool

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// CutError is returned by a tool beside the beginning of a result that was too long for it. The call has not failed: the
// model is given the beginning, and told how much there was.
type CutError struct {
	Size int64 // bytes of the whole result; 0 where that isn't known
}

func (e *CutError) Error() string {
	if e.Size > 0 {
		return fmt.Sprintf("the result of %d bytes was cut", e.Size)
	}
	return "the result was cut"
}

// RefusedError says that a call was not run because it is not approved. [RunOptions].Approve returns it, and so may a tool
// that decides by itself. Its text is what the model reads.
type RefusedError struct {
	Reason string
}

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// outcome is how a call went, in words for the model.
type outcome struct {
	text    string
	size    int64 // of the whole answer, where text is not all of it
	failed  bool
	refused bool
	elapsed time.Duration
}

// answer is the outcome of a call that went well. limit is in bytes; 0 or less is none.
func answer(text string, limit int64) outcome {
	kept, size := cut(text, limit)
	return outcome{text: kept, size: size}
}

// cutAnswer is the outcome of a call of which text is only the beginning of the answer.
func cutAnswer(text string, size, limit int64) outcome {
	got := int64(len(text))
	if limit > 0 && got > limit {
		text = text[:limit]
	}
	whole := size
	if size <= got { // not known: there was more
		whole = 0
	}
	return outcome{text: shorten(text, whole), size: max(size, got, 1)}
}

func failure(err error, limit int64) outcome {
	kept, size := cut(err.Error(), limit)
	_, refused := errors.AsType[*RefusedError](err)
	return outcome{text: "error: " + kept, size: size, failed: true, refused: refused}
}

// cut returns what a limit leaves of a text, in valid UTF-8, and the text's length if that isn't all.
func cut(text string, limit int64) (string, int64) {
	size := int64(len(text))
	if limit <= 0 || size <= limit {
		return strings.ToValidUTF8(text, "\uFFFD"), 0
	}
	return shorten(text[:limit], size), size
}

// shorten makes what the model reads of a text's beginning, whose whole has size bytes, where that is known. It is a copy,
// since what the beginning was cut from may be large.
func shorten(beginning string, size int64) string {
	beginning = wholeRunes(beginning)
	of := ""
	if size > 0 {
		of = fmt.Sprintf(" of %d", size)
	}
	return fmt.Sprintf("%s\n[cut: the first %d%s bytes]", strings.ToValidUTF8(beginning, "\uFFFD"), len(beginning), of)
}

// wholeRunes drops from the end of a text what is only the beginning of a character.
func wholeRunes(s string) string {
	for i := len(s) - 1; i >= max(0, len(s)-utf8.UTFMax); i-- {
		if utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				return s[:i]
			}
			break
		}
	}
	return s
}
