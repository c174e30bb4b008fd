package stages_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

const starsSchema = `{"type":"object","properties":{"stars":{"type":"integer"}},"required":["stars"]}`

func schemaOf(t testing.TB, text string) *stages.Schema {
	t.Helper()
	schema, err := stages.NewSchema(json.RawMessage(text))
	require.NoError(t, err)
	return schema
}

// structureOf returns what reads the answers to a request of a run with that schema.
func structureOf(t *testing.T, schema string) func(string) (json.RawMessage, error) {
	t.Helper()
	return validated(t, asking("a"), stages.Defaults{Schema: schemaOf(t, schema)})[0].Structure
}

func TestStructuredOutputIsFoundInTheTextOfAnAnswer(t *testing.T) {
	read := structureOf(t, starsSchema)
	for _, test := range [][2]string{
		{`{"stars": 5}`, `{"stars":5}`},
		{"\n{\"stars\":\n5}\n", `{"stars":5}`},
		{"Sure:\n```json\n{\"stars\": 5}\n```\nBye", `{"stars":5}`},
		{"```\n{\"stars\": 5}```", `{"stars":5}`},
		{"```{\"stars\": 5}```", `{"stars":5}`},
		{`For {"stars": 1} I say: ` + "```json\n{\"stars\": 5}\n```", `{"stars":5}`},
		{`I'd say [sic] {x} {"stars": 5}, {"stars": 6}.`, `{"stars":5}`},
		{`As [1] says: {"stars":5}`, `{"stars":5}`},
		{`{"stars":5} {"stars":`, `{"stars":5}`},
		{`<think>{"stars":1}?</think>{"stars":5}`, `{"stars":5}`},
		{`{"stars": 9007199254740993123456789, "x": 1.10}`, `{"stars":9007199254740993123456789,"x":1.10}`},
		{`{"stars": 3.0}`, `{"stars":3.0}`},
		{"```json\n{\"stars\":5,\"code\":\"```\"}\n```", "{\"stars\":5,\"code\":\"```\"}"},
	} {
		got, err := read(test[0])
		require.NoError(t, err, test[0])
		require.Equal(t, test[1], string(got))
	}
	words := structureOf(t, `{"type":"string","enum":["yes","no"]}`)
	for _, text := range []string{`"yes"`, "It is:\n```json\n\"yes\"\n```"} {
		got, err := words(text)
		require.NoError(t, err)
		require.Equal(t, `"yes"`, string(got))
	}
	list, err := structureOf(t, `{"type":"array"}`)(`Here: [1, {"a": "]"}] and more`)
	require.NoError(t, err)
	require.Equal(t, `[1,{"a":"]"}]`, string(list))
}

func TestWhatIsWrongWithAnAnswerIsToldInAFewWords(t *testing.T) {
	read := structureOf(t, starsSchema)
	for text, want := range map[string]string{
		``:                                 "there is no JSON in it",
		`Five stars.`:                      "there is no JSON in it",
		`{"stars": NaN}`:                   "it is not JSON: invalid character 'N' looking for beginning of value",
		`{"stars": `:                       "it is not JSON: ",
		`{"stars": "5"}`:                   `at "/stars": got string, want integer`,
		`{"stars": 5.5}`:                   `at "/stars": got number, want integer`,
		`{}`:                               `at "/stars": missing property`,
		`[{"stars": 5}]`:                   `at "": got array, want object`,
		`5`:                                `at "": got number, want object`,
		`null`:                             `at "": got null, want object`,
		`{"stars": 1e999999999}`:           "the number 1e999999999 is too large",
		`{"stars": [-1e400]}`:              "the number -1e400 is too large",
		`{"stars": "x", "stars": 5}`:       `the property "stars" is there twice`,
		`{"stars":5,"a":[{"b":{},"b":1}]}`: `the property "b" is there twice`,
		`See [1]: {"stars": "none"}`:       `at "/stars": got string, want integer`,
		strings.Repeat("[", 1<<20):         "it is not JSON: ",
		`{"stars":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`: `at "/stars": got array, want integer`,
	} {
		got, err := read(text)
		require.ErrorContains(t, err, want)
		require.Nil(t, got)
		require.LessOrEqual(t, len(err.Error()), 1003)
	}
	long := structureOf(t, `{"enum":["`+strings.Repeat("ä", 4000)+`"]}`)
	_, err := long(`"b"`)
	require.Len(t, err.Error(), 1003)
	mail := structureOf(t, `{"type":"string","format":"email"}`)
	_, err = mail(`"nobody"`)
	require.ErrorContains(t, err, "email")
}

func TestSamePropertiesOfDifferentObjectsAreNotTwice(t *testing.T) {
	got, err := structureOf(t, `{}`)(`{"a":{"b":"b","c":["b",{"b":1}]},"b":[{"a":1},{"a":"a"}],"c":"a"}`)
	require.NoError(t, err)
	require.NotEmpty(t, got)
}

func FuzzStructuredOutputIsJSON(f *testing.F) {
	for _, seed := range []string{
		`{"stars": 5}`, "```json\n{}\n```", `x {"a":[1,{"b":"}"}]} y`, `<think>`, `{"stars":1e5}`, `[[[`, "```", `{"a":1,"a":2}`, `"\ud800"`,
	} {
		f.Add(seed)
	}
	schema := schemaOf(f, `{"type":["object","array","integer"],"maxProperties":2}`)
	items := asking("a")
	in, out := make(chan *batch.Item, 1), make(chan *batch.Item, 1)
	in <- items[0]
	close(in)
	require.NoError(f, stages.Validate(stages.Defaults{Schema: schema})(context.Background(), in, out))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := items[0].Structure(text)
		if err != nil {
			require.Nil(t, got)
			require.NotEmpty(t, err.Error())
			return
		}
		require.True(t, json.Valid(got))
		again, err := items[0].Structure(string(got))
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

// inTurn answers with the texts, one after the other, and then with the last again and again.
func inTurn(texts ...string) *model {
	calls := 0
	return &model{latency: time.Second, answer: func(int, string, *llm.Call) (*llm.Answer, error) {
		text := texts[min(calls, len(texts)-1)]
		calls++
		return says(text), nil
	}}
}

func mending(c llm.Completer, repairs int) *stages.Executor {
	return stages.NewExecutor(stages.ExecutorConfig{Completer: c, MaxConcurrent: 1, MaxRepairs: repairs, ToolTimeout: time.Minute})
}

func TestAnAnswerThatBreaksItsSchemaIsAskedForAgainInTheSameConversation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := inTurn(`{"stars":"five"}`, `five`, `{"stars": 5}`)
		items := asking("a")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Schema: schemaOf(t, starsSchema)}),
			stages.Execute(mending(m, 2)))
		r := items[0].Result
		require.True(t, r.Success, r.Error)
		require.Equal(t, `{"stars":5}`, string(r.StructuredOutput))
		require.Equal(t, `{"stars": 5}`, r.Response)
		require.Equal(t, 2, items[0].Repairs)
		require.Equal(t, 1, r.Attempts, "a repair is no attempt")
		require.EqualValues(t, 33, r.TokensUsed.Total)
		require.Equal(t, 3*time.Second, r.ElapsedTime)
		require.Equal(t, []batch.Message{
			batch.UserMessage("a"),
			batch.AssistantMessage(`{"stars":"five"}`),
			batch.UserMessage("Your answer doesn't follow the JSON schema: at \"/stars\": got string, want integer. " +
				"Answer again, with the whole JSON and nothing else."),
			batch.AssistantMessage("five"),
			batch.UserMessage("Your answer doesn't follow the JSON schema: there is no JSON in it. " +
				"Answer again, with the whole JSON and nothing else."),
		}, m.asked("")[2].Messages)
		require.Equal(t, "a", items[0].Request.UserMessage)
	})
}

func TestAnAnswerThatStaysBrokenFailsForGoodWithItsText(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := inTurn(`{"stars":"five"}`, `{"stars":"5"}`)
		items := asking("a")
		e := mending(m, 1)
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Schema: schemaOf(t, starsSchema)}),
			stages.Execute(e), stages.Retry(e, stages.RetryPolicy{MaxAttempts: 5}))
		r := items[0].Result
		require.Equal(t, batch.ErrStructuredOutput, r.ErrorType)
		require.Equal(t, `the answer breaks its schema: at "/stars": got string, want integer`, r.Error)
		require.Equal(t, `{"stars":"5"}`, r.Response)
		require.Nil(t, r.StructuredOutput)
		require.EqualValues(t, 22, r.TokensUsed.Total)
		require.Len(t, m.asked(""), 2, "never retried")
	})
}

func TestARepairThatFailsGoesOnWhereItBrokeAndCountsOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		calls := 0
		m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) {
			calls++
			switch calls {
			case 2:
				return nil, unavailable()
			case 4:
				return says(`{"stars":4}`), nil
			}
			return says("no"), nil
		}}
		for repairs, kind := range map[int]batch.ErrorKind{1: batch.ErrStructuredOutput, 2: ""} {
			calls = 0
			items := asking("a")
			e := mending(m, repairs)
			mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Schema: schemaOf(t, starsSchema)}),
				stages.Execute(e), stages.Retry(e, stages.RetryPolicy{MaxAttempts: 2}))
			require.Equal(t, kind, items[0].Result.ErrorType)
			require.Equal(t, 2, items[0].Result.Attempts)
			require.Equal(t, repairs, items[0].Repairs)
			require.Equal(t, 2+repairs, calls)
		}
	})
}

func TestAConversationWithToolsEndsInAStructuredAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := turns(wants(toolCall("1", "ping", "{}")), says("pong!"), wants(toolCall("2", "ping", "{}")), says(`{"stars":1}`))
		items := asking("a")
		mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Schema: schemaOf(t, starsSchema), Tools: runTools()}),
			stages.Execute(mending(m, 1)))
		r := items[0].Result
		require.True(t, r.Success, r.Error)
		require.Equal(t, 2, r.ToolCallsMade)
		require.Equal(t, `{"stars":1}`, string(r.StructuredOutput))
	})
}

func TestWhatIsCutOrRefusedIsNotAskedForAgain(t *testing.T) {
	cut, refused := says(`{"stars":`), says("")
	cut.FinishReason, refused.Refusal = "length", "no"
	for name, test := range map[string]struct {
		answer    *llm.Answer
		truncated bool
		kind      batch.ErrorKind
	}{
		"cut":                   {cut, false, batch.ErrTruncated},
		"cut, which is allowed": {cut, true, batch.ErrTruncated},
		"refused":               {refused, false, batch.ErrContentFilter},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) { return test.answer, nil }}
				e := stages.NewExecutor(stages.ExecutorConfig{
					Completer: m, MaxConcurrent: 1, MaxRepairs: 3, AllowTruncated: test.truncated,
				})
				r := executeOne(t, e, stages.Defaults{Schema: schemaOf(t, starsSchema)})
				require.Equal(t, test.kind, r.ErrorType)
				require.Equal(t, test.answer.Text, r.Response)
				require.Len(t, m.asked(""), 1)
			})
		})
	}
}

func TestNoRepairBeginsAfterTheEndOfTheRunOrTheRequestsTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		items := asking("a")
		m := &model{answer: func(int, string, *llm.Call) (*llm.Answer, error) {
			cancel(errBroken)
			return says("no"), nil
		}}
		mustRun(ctx, t, items, stages.Validate(stages.Defaults{Schema: schemaOf(t, starsSchema)}), stages.Execute(mending(m, 1)))
		require.True(t, items[0].Result.Unfinished())

		slow := inTurn("no")
		e := stages.NewExecutor(stages.ExecutorConfig{
			Completer: slow, MaxConcurrent: 1, MaxRepairs: 9, RequestTimeout: 2500 * time.Millisecond,
		})
		r := executeOne(t, e, stages.Defaults{Schema: schemaOf(t, starsSchema)})
		require.Equal(t, batch.ErrAPITimeout, r.ErrorType)
		require.Len(t, slow.asked(""), 3)
	})
}

func TestARepairIsHedgedAsAnyCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := inTurn("no", `{"stars":1}`)
		m.latency = 0
		e := stages.NewExecutor(stages.ExecutorConfig{Completer: hedged(slowly(m, 0, time.Hour)), MaxConcurrent: 1, MaxRepairs: 1})
		r := executeOne(t, e, stages.Defaults{Schema: schemaOf(t, starsSchema)})
		require.True(t, r.Success)
		require.Equal(t, 2, r.Attempts)
		require.Equal(t, true, r.Metadata["_hedged"])
	})
}
