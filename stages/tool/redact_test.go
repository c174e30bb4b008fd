package tool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

const secret = `s3"cr<e>t/+ é`

func TestSecretsStandInNoAnswer(t *testing.T) {
	asJSON, err := json.Marshal(secret)
	require.NoError(t, err)
	for _, leak := range []string{
		secret, strings.Trim(string(asJSON), `"`), `s3\"cr<e>t/+ é`, url.QueryEscape(secret), url.PathEscape(secret),
	} {
		for name, do := range map[string]func(context.Context) (string, error){
			"result":  func(context.Context) (string, error) { return "key " + leak + "!", nil },
			"error":   func(context.Context) (string, error) { return "", fmt.Errorf("key %s!", leak) },
			"panic":   func(context.Context) (string, error) { panic("key " + leak + "!") },
			"refusal": func(context.Context) (string, error) { return "", &tool.RefusedError{Reason: "key " + leak + "!"} },
			"cut":     func(context.Context) (string, error) { return "key " + leak + "!", &tool.CutError{Size: 99} },
		} {
			e := runOne(t, tool.Redact(answering("one", do), "other-secret", secret), "")
			require.Contains(t, e.Result, "key [secret]!", name)
			require.NotContains(t, e.Result, leak)
			require.Equal(t, name == "refusal", e.Refused)
			require.Equal(t, name != "result" && name != "cut", e.Error)
			require.Equal(t, name == "cut", e.ResultBytes == 99)
		}
	}
}

func TestSecretsStandInNoErrorOfAPlace(t *testing.T) {
	one := answering("one", func(context.Context) (string, error) { return "fine", nil })
	for _, acquire := range []func(context.Context) (func(), error){
		func(context.Context) (func(), error) { return nil, errors.New("no server at " + secret) },
		func(context.Context) (func(), error) { panic("no server at " + secret) },
	} {
		one.Acquire = acquire
		e := runOne(t, tool.Redact(one, secret), "")
		require.True(t, strings.HasSuffix(e.Result, "no server at [secret]"), e.Result)
	}
	one.Acquire = func(context.Context) (func(), error) { return nil, nil }
	require.Equal(t, "fine", runOne(t, tool.Redact(one, secret), "").Result)
}

func TestAnErrorsChainTellsNoSecret(t *testing.T) {
	one := tool.Redact(batch.Tool{Call: func(context.Context, json.RawMessage) (string, error) {
		return "", fmt.Errorf("calling: %w", &url.Error{Op: "Get", URL: "http://x/?key=secret1", Err: errors.New("refused")})
	}}, "secret1")
	_, err := one.Call(t.Context(), nil)
	var inner *url.Error
	require.NotErrorAs(t, err, &inner)
	require.EqualError(t, err, `calling: Get "http://x/?key=[secret]": refused`)
}

func TestNoPartOfASecretIsLeftAtACut(t *testing.T) {
	whole := "the keys are secret-1-long, secret-1 and more"
	for at := range len(whole) {
		one := answering("one", func(context.Context) (string, error) {
			return whole[:at], &tool.CutError{Size: int64(len(whole))}
		})
		e := runOne(t, tool.Redact(one, "secret-1", "secret-1-long"), "")
		text, _, _ := strings.Cut(e.Result, "\n[cut: ")
		require.NotContains(t, strings.ReplaceAll(text, "[secret]", ""), "se", "cut at %d: %q", at, text)
	}
}

func TestASecretThatEndsAsItBeginsIsFoundAtACut(t *testing.T) {
	one := answering("one", func(context.Context) (string, error) { return "key abcd-ab", &tool.CutError{Size: 99} })
	require.Equal(t, "key [secret]\n[cut: the first 12 of 99 bytes]", runOne(t, tool.Redact(one, "abcd-ab"), "").Result)
}

func TestTheLongestOfTheSecretsIsFoundFirst(t *testing.T) {
	one := answering("one", func(context.Context) (string, error) { return "abcdef-ghi abcdef", nil })
	require.Equal(t, "[secret] [secret]", runOne(t, tool.Redact(one, "abcdef", "abcdef-ghi"), "").Result)
}

func TestSecretsThatAreTooShortAreNotLookedFor(t *testing.T) {
	one := answering("one", func(context.Context) (string, error) { return "abcde in abcdefg", nil })
	require.Equal(t, "abcde in abcdefg", runOne(t, tool.Redact(one, "", "a", "abcde"), "").Result)
	require.Nil(t, tool.Redact(batch.Tool{Name: "theirs"}, secret).Call, "a definition stays one")
}

func TestAnErrorThatQuotesABeginningDoesNotEndItInASecret(t *testing.T) {
	for said, want := range map[string]string{
		"HTTP 500: you sent hunter2-...":                                      "HTTP 500: you sent ...",
		"exit status 1\nits output:\nhunter2\n[cut: the first 7 of 14 bytes]": "exit status 1\nits output:\n\n[cut: the first 7 of 14 bytes]",
		"hunter2-secret... and hunter":                                        "[secret]... and hunter",
	} {
		redacted := tool.Redact(batch.Tool{Name: "t", Call: func(context.Context, json.RawMessage) (string, error) {
			return "", errors.New(said)
		}}, "hunter2-secret")
		_, err := redacted.Call(t.Context(), nil)
		require.EqualError(t, err, want)
	}
}
