package pipeline

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

type place struct {
	City string `json:"city" jsonschema_description:"without the country"`
}

type stamp struct {
	At time.Time `json:"at"`
}

type review struct {
	stamp
	Sentiment string   `json:"sentiment" jsonschema:"enum=good,enum=bad"`
	Stars     int      `json:"stars" jsonschema:"minimum=1,maximum=5"`
	Score     *float64 `json:"score"`
	Note      string   `json:"note,omitempty"`
	Mood      string   `json:"mood" jsonschema:"nullable"`
	Tags      []string `json:"tags"`
	Places    []place  `json:"places"`
	Home      *place   `json:"home,omitzero"`
	Pair      [2]bool  `json:"pair"`
	Hidden    int      `json:"-"`
}

func TestAStructBecomesAStrictSchema(t *testing.T) {
	const city = `{"type":"object","properties":{"city":{"type":"string","description":"without the country"}},` +
		`"required":["city"],"additionalProperties":false}`
	require.JSONEq(t, `{"title":"review","type":"object","properties":{
		"at":{"type":"string","format":"date-time"},
		"sentiment":{"type":"string","enum":["good","bad"]},
		"stars":{"type":"integer","minimum":1,"maximum":5},
		"score":{"anyOf":[{"type":"number"},{"type":"null"}]},
		"note":{"anyOf":[{"type":"string"},{"type":"null"}]},
		"mood":{"anyOf":[{"type":"string"},{"type":"null"}]},
		"tags":{"type":"array","items":{"type":"string"}},
		"places":{"type":"array","items":`+city+`},
		"home":{"anyOf":[`+city+`,{"type":"null"}]},
		"pair":{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2}},
		"required":["at","sentiment","stars","score","note","mood","tags","places","home","pair"],
		"additionalProperties":false}`, string(Structured[review]()))
}

type holdsItself struct{ Next *holdsItself }

type ownJSON struct{}

func (*ownJSON) UnmarshalJSON([]byte) error { return nil }

func TestATypeThatModelsCannotBeHeldToPanics(t *testing.T) {
	for want, make := range map[string]func(){
		"gluepipe: pipeline.Structured[map[string]int]: want a struct": func() { Structured[map[string]int]() },
		"want a struct, not string":                                    func() { Structured[string]() },
		"want a struct, not *pipeline.place":                           func() { Structured[*place]() },
		"want a struct, not time.Time":                                 func() { Structured[time.Time]() },
		"field M: map[string]int: want a struct":                       func() { Structured[struct{ M map[string]int }]() },
		"field A: interface {}: want a struct":                         func() { Structured[struct{ A any }]() },
		"field B: a model writes no []uint8":                           func() { Structured[struct{ B []byte }]() },
		"field Next: pipeline.holdsItself contains itself":             func() { Structured[holdsItself]() },
		"field O: pipeline.ownJSON reads its own JSON":                 func() { Structured[struct{ O ownJSON }]() },
		`"minLength" is not known to strict mode`: func() {
			Structured[struct {
				S string `jsonschema:"minLength=3"`
			}]()
		},
	} {
		func() {
			defer func() { require.Contains(t, fmt.Sprint(recover()), want) }()
			make()
		}()
	}
}

func TestStructuredAnswersComeAsJSONThatWasChecked(t *testing.T) {
	p := newProcessor(t, &Config{Model: "mock:echo", Schema: Structured[review]()})
	response, err := p.Process(t.Context(), []batch.Request{
		{UserMessage: "Lovely"},
		{UserMessage: "plain", ResponseFormat: json.RawMessage(`{"type":"text"}`)},
		{Input: json.RawMessage(`"Lovely"`)},
	})
	require.NoError(t, err)
	require.Equal(t, 3, response.SuccessfulRequests)
	var got review
	require.NoError(t, json.Unmarshal(response.Results[0].StructuredOutput, &got))
	require.Equal(t, "Lovely", got.Note)
	require.Equal(t, []place{{"Lovely"}}, got.Places)
	require.JSONEq(t, response.Results[0].Response, string(response.Results[0].StructuredOutput))
	require.Equal(t, "plain", response.Results[1].Response)
	require.Nil(t, response.Results[1].StructuredOutput)
	require.Len(t, response.Results[2].Embedding, 8)
}

func TestAnAnswerThatBreaksItsSchemaIsMendedOverTheWire(t *testing.T) {
	schema := json.RawMessage(`{"type":"object","properties":{"stars":{"type":"integer"}},"required":["stars"]}`)
	server := llmtest.New(t, llmtest.Config{RecordBodies: true, Respond: llmtest.Sequence(
		llmtest.Text(`{"stars":"many"}`), llmtest.Error(503, "", "busy"), llmtest.Text("Sorry!\n```json\n{\"stars\": 4}\n```"),
	)})
	p := newProcessor(t, &Config{
		Model: "openai:m", BaseURL: server.BaseURL(), Schema: schema,
		Retry: stages.RetryPolicy{MaxAttempts: 2, InitialBackoff: time.Millisecond},
	})
	response, err := p.Process(t.Context(), []batch.Request{{UserMessage: "How was it?"}})
	require.NoError(t, err)
	r := response.Results[0]
	require.True(t, r.Success, r.Error)
	require.Equal(t, `{"stars":4}`, string(r.StructuredOutput))
	require.Equal(t, 2, r.Attempts)
	bodies := server.Bodies()
	require.Len(t, bodies, 3)
	require.JSONEq(t, `{"model":"m","messages":[{"role":"user","content":"How was it?"}],
		"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":`+string(schema)+`}}}`, string(bodies[0]))
	require.Contains(t, string(bodies[2]), `at \"/stars\": got string, want integer`)
}

func TestTheSchemaGoesIntoThePromptWhereTheProviderTakesNoOther(t *testing.T) {
	for model, config := range map[string]Config{"deepseek:m": {}, "openai:m": {SchemaInPrompt: true}} {
		server := llmtest.New(t, llmtest.Config{RecordBodies: true, Respond: llmtest.Sequence(llmtest.Text(`{"a":1}`))})
		config.Model, config.BaseURL, config.Schema = model, server.BaseURL(), json.RawMessage(`{"type":"object"}`)
		response, err := newProcessor(t, &config).Process(t.Context(), []batch.Request{{UserMessage: "Hi"}})
		require.NoError(t, err)
		require.Equal(t, `{"a":1}`, string(response.Results[0].StructuredOutput))
		body := string(server.Bodies()[0])
		require.NotContains(t, body, "response_format")
		require.Contains(t, body, `{"role":"system","content":"Answer with JSON alone`)
	}
}

func TestASchemaThatIsNoneIsNamedBeforeTheFirstCall(t *testing.T) {
	for want, config := range map[string]Config{
		"config: Schema: reading the schema: ":                              {Schema: json.RawMessage(`{`)},
		"config: Schema: want a JSON schema that is an object":              {Schema: json.RawMessage(`true`)},
		"config: Schema: compiling the schema: ":                            {Schema: json.RawMessage(`{"type":"nonsense"}`)},
		"a schema here refers to nothing outside itself":                    {Schema: json.RawMessage(`{"$ref":"file:///etc/passwd"}`)},
		"config: MaxRepairs: want 1 or more, or -1 for none":                {MaxRepairs: -2},
		"config: EmbedBatch: want 1 or more, or -1 for none":                {EmbedBatch: -2},
		"config: Schema: want either Schema or a response_format in Params": {Schema: json.RawMessage(`{}`), Params: map[string]any{"response_format": 1}},
	} {
		config.Model = "mock:echo"
		_, err := NewBatchProcessor(&config)
		require.ErrorContains(t, err, want)
	}
}

func TestRepairsCanBeSwitchedOff(t *testing.T) {
	var calls atomic.Int32
	server := llmtest.New(t, llmtest.Config{Respond: func(*llmtest.Request) *llmtest.Answer {
		calls.Add(1)
		return llmtest.Text("no JSON")
	}})
	p := newProcessor(t, &Config{
		Model: "openai:m", BaseURL: server.BaseURL(), Schema: json.RawMessage(`{"type":"object"}`), MaxRepairs: -1,
	})
	response, err := p.Process(t.Context(), []batch.Request{{UserMessage: "Hi"}})
	require.NoError(t, err)
	r := response.Results[0]
	require.Equal(t, batch.ErrStructuredOutput, r.ErrorType)
	require.Equal(t, "the answer breaks its schema: there is no JSON in it", r.Error)
	require.Equal(t, "no JSON", r.Response)
	require.EqualValues(t, 1, calls.Load())
}
