package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const mixed = `{"id": "a", "user_message": "one"}
{"id": "a", "user_message": "two"}

{"id": "c"}
not json
{"user_message": "three", "temperature": 0}
{"user_message": "four", "temperature": 1, "top_k": 3}
`

func TestCheckPrintsEachLineThatIsWrong(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": mixed})
	got := gluepipe(t, "", nil, "check", "in.jsonl")
	require.Equal(t, exitFailures, got.code)
	require.Equal(t, `line 2: duplicate id "a"
line 4: field "user_message" is missing
line 5, column 2: invalid character 'o' in literal null (expecting 'u')
6 requests: 3 good, 3 bad; about 18 tokens
`, got.stdout)
	require.Equal(t, `line 6: field "temperature" is not part of a request and is not sent; fields of the body go into "params"
line 7: field "top_k" is not part of a request and is not sent; fields of the body go into "params"
`, got.stderr)
}

func TestCheckOfGoodRequestsExitsWithZeroAndNeedsNoKey(t *testing.T) {
	got := gluepipe(t, requests(2), nil, "check", "-")
	require.Equal(t, outcome{exitOK, "2 requests: 2 good, 0 bad; about 14 tokens\n", ""}, got)

	got = gluepipe(t, requests(3), nil, "check", "-", "--limit", "2", "--model", "azure:mine")
	require.Equal(t, outcome{exitOK, "2 requests: 2 good, 0 bad; about 14 tokens\n", ""}, got)
}

func TestCheckRefusesAnUnknownProvider(t *testing.T) {
	got := gluepipe(t, requests(1), nil, "check", "-", "--model", "opneai:gpt-4o-mini")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.stderr, `unknown provider "opneai"`)
}

func TestCheckTellsWhatIsDoneAndChangesNothing(t *testing.T) {
	inTempDir(t, map[string]string{"in.jsonl": requests(3)})
	require.Equal(t, exitOK, gluepipe(t, "", nil, "run", "in.jsonl", "-o", "out.jsonl", "--limit", "2", "--model", "mock:echo").code)
	torn := read(t, "out.jsonl") + `{"id":"r`
	inTempDir(t, map[string]string{"in.jsonl": requests(3), "out.jsonl": torn})

	got := gluepipe(t, "", nil, "check", "in.jsonl", "-o", "out.jsonl", "--model", "mock:echo")
	require.Equal(t, outcome{exitOK, "3 requests: 1 good, 0 bad, 2 done in out.jsonl; about 7 tokens\n", ""}, got)
	require.Equal(t, torn, read(t, "out.jsonl"))

	got = gluepipe(t, "", nil, "check", "in.jsonl", "-o", "new.jsonl", "--model", "mock:echo")
	require.Equal(t, "3 requests: 3 good, 0 bad; about 21 tokens\n", got.stdout)
	require.NoFileExists(t, "new.jsonl")

	got = gluepipe(t, "", nil, "check", "in.jsonl", "-o", "out.jsonl", "--model", "mock:flaky")
	require.Equal(t, outcome{exitFailures, "line 1: request \"r1\" has changed since its record in out.jsonl was written: " +
		"a run would refuse it\nline 2: request \"r2\" has changed since its record in out.jsonl was written: " +
		"a run would refuse it\n3 requests: 1 good, 2 bad; about 7 tokens\n", ""}, got)

	got = gluepipe(t, "", nil, "check", "in.jsonl", "-o", "in.jsonl")
	require.Equal(t, outcome{exitBroken, "", "gluepipe: in.jsonl: line 1: not a result record: want an id, index and success\n"}, got)
}

func TestDryRunPrintsWhatWouldBeSentAndCallsNothing(t *testing.T) {
	got := gluepipe(t, mixed, nil, "run", "-", "--dry-run", "--param", "temperature=0")
	require.Equal(t, exitFailures, got.code)
	require.Equal(t,
		`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"one"}],"temperature":0}
{"model":"gpt-4o-mini","messages":[{"role":"user","content":"three"}],"temperature":0}
{"model":"gpt-4o-mini","messages":[{"role":"user","content":"four"}],"temperature":0}
`, got.stdout)
	require.Contains(t, got.stderr, "line 4: field \"user_message\" is missing\n")
}

func TestWarningsOfFieldsAreBounded(t *testing.T) {
	line := `{"user_message": "x"`
	for c := 'a'; c <= 'z'; c++ {
		line += `, "` + string(c) + `": 1`
	}
	got := gluepipe(t, line+"}\n"+line+"}\n", nil, "check", "-")
	require.Equal(t, exitOK, got.code)
	require.Regexp(t, `^(line 1: field "[a-t]" is not part of a request.*\n){20}line 1: there are more fields .*\n$`, got.stderr)
}
