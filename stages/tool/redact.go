package tool

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/sourcegraph/conc/panics"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/internal/jsonappend"
)

// minSecret is the length of the shortest secret that is looked for, in bytes.
const minSecret = 6

// Redact returns the tool with each secret in its answers, the texts of its errors and its panics replaced by "[secret]": as
// it is, as it stands in JSON, and as it stands in a URL. Where the tool cut its answer itself ([CutError]), or quotes the
// beginning of something in an error ("..."), what may be the beginning of a secret at the cut is left out. What a tool makes
// of a secret (base64, a hash) is not found.
//
// Secrets shorter than 6 bytes are ignored: they would turn up in many a text that has nothing to do with them. Errors keep
// their texts and the kinds that [Run] knows, but not what they wrap.
func Redact(t batch.Tool, secrets ...string) batch.Tool {
	forms := secretForms(secrets)
	if len(forms) == 0 {
		return t
	}
	r := newRedactor(forms)
	if call := t.Call; call != nil {
		t.Call = func(ctx context.Context, arguments json.RawMessage) (text string, err error) {
			panicked := panics.Try(func() {
				text, err = call(ctx, arguments)
				text, err = r.answer(text, err)
			})
			if panicked != nil {
				return "", r.panicked(panicked)
			}
			return text, err
		}
	}
	if acquire := t.Acquire; acquire != nil {
		t.Acquire = func(ctx context.Context) (release func(), err error) {
			panicked := panics.Try(func() {
				release, err = acquire(ctx)
				err = r.err(err)
			})
			if panicked != nil {
				return nil, r.panicked(panicked)
			}
			return release, err
		}
	}
	return t
}

// secretForms returns the ways in which secrets are written, the longest first, so that none hides a part of another.
func secretForms(secrets []string) []string {
	var forms []string
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		forms = append(forms, secret, url.QueryEscape(secret), url.PathEscape(secret), unquoted(jsonappend.String(nil, secret)))
		if escaped, err := json.Marshal(secret); err == nil { // with <, > and & escaped, as Go has it
			forms = append(forms, unquoted(escaped))
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(forms)
}

func unquoted(s []byte) string { return string(s[1 : len(s)-1]) }

// redactor is safe for concurrent use.
type redactor struct {
	forms    []string
	replacer *strings.Replacer
}

func newRedactor(forms []string) *redactor {
	var pairs []string
	for _, form := range forms {
		pairs = append(pairs, form, "[secret]")
	}
	return &redactor{forms, strings.NewReplacer(pairs...)}
}

func (r *redactor) text(s string) string { return r.replacer.Replace(s) }

func (r *redactor) answer(text string, err error) (string, error) {
	cut, ok := errors.AsType[*CutError](err)
	if !ok {
		return r.text(text), r.err(err)
	}
	return r.withoutBeginning(r.text(text)), &CutError{Size: cut.Size}
}

// withoutBeginning drops from the end of a text the longest that is the beginning of a secret.
func (r *redactor) withoutBeginning(text string) string {
	longest := 0
	for _, form := range r.forms {
		for n := min(len(form)-1, len(text)); n > longest; n-- {
			if strings.HasSuffix(text, form[:n]) {
				longest = n
			}
		}
	}
	return text[:len(text)-longest]
}

// err makes a new error of another's text: what an error wraps may tell the secret, too.
func (r *redactor) err(err error) error {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return &RefusedError{Reason: r.errText(refused.Reason)}
	}
	return errors.New(r.errText(err.Error()))
}

// errText takes secrets out of an error's text, which has no [CutError] to tell where it quotes only the beginning of
// something: that is where it says "..." or "[cut".
func (r *redactor) errText(text string) string {
	text = r.text(text)
	for _, mark := range []string{"...", "\n[cut"} {
		pieces := strings.Split(text, mark)
		for i := range pieces[:len(pieces)-1] {
			pieces[i] = r.withoutBeginning(pieces[i])
		}
		text = strings.Join(pieces, mark)
	}
	return text
}

func (r *redactor) panicked(p *panics.Recovered) error {
	return errors.New(r.text(fmt.Sprintf("the tool panicked: %v", p.Value)))
}
