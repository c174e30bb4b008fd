package stages_test

import (
	"encoding/json"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages"
	"github.com/gluepipe/gluepipe/stages/batch"
	index "github.com/gluepipe/gluepipe/stages/ids"
	"github.com/gluepipe/gluepipe/stages/llm"
)

// runTools returns the tools that the runs of these tests know.
func runTools() []batch.Tool {
	return []batch.Tool{
		{Name: "lookup", Description: "looks up", Call: answering("found")},
		{Name: "ping", Description: "pings", Call: answering("pong")},
	}
}

func TestValidateSaysWhatIsWrongAndWhere(t *testing.T) {
	chat := []batch.Message{batch.UserMessage("hi")}
	tests := map[string]struct {
		request batch.Request
		want    string
	}{
		"nothing to ask": {batch.Request{}, `field "user_message" is missing`},
		"two things to ask": {
			batch.Request{UserMessage: "hi", Messages: chat},
			`fields "user_message" and "messages": want one of the two`,
		},
		"an empty chat": {batch.Request{Messages: []batch.Message{}}, `field "messages": want at least one message`},
		"a message without a role": {
			batch.Request{Messages: []batch.Message{chat[0], {Content: batch.Text("hi")}}},
			`field "messages": message 2 has no role`,
		},
		"a content that is not JSON": {
			batch.Request{Messages: []batch.Message{{Role: "user", Content: []byte("hi")}}},
			`field "messages": the content of message 1 is not JSON; batch.Text makes it of a text`,
		},
		"two system prompts": {
			batch.Request{SystemPrompt: "be brief", Messages: []batch.Message{batch.SystemMessage("be long"), chat[0]}},
			`fields "system_prompt" and "messages": both have a system prompt`,
		},
		"two system prompts, one a developer's": {
			batch.Request{SystemPrompt: "be brief", Messages: []batch.Message{{Role: "developer", Content: batch.Text("x")}}},
			`fields "system_prompt" and "messages": both have a system prompt`,
		},
		"an unknown tool": {
			batch.Request{UserMessage: "hi", Tools: []batch.Tool{{Name: "lookout"}}},
			`field "tools": unknown tool "lookout" (known: lookup, ping)`,
		},
		"a tool twice": {
			batch.Request{UserMessage: "hi", Tools: []batch.Tool{{Name: "ping"}, {Name: "lookup"}, {Name: "ping"}}},
			`field "tools": "ping" is there twice`,
		},
		"a model among the params": {
			batch.Request{UserMessage: "hi", Params: map[string]any{"model": "m"}},
			`field "params": "model" is a field of the request itself`,
		},
		"messages among the params": {
			batch.Request{UserMessage: "hi", Params: map[string]any{"messages": nil}},
			`field "params": "messages" is a field of the request itself`,
		},
		"tools among the params": {
			batch.Request{UserMessage: "hi", Params: map[string]any{"tools": nil}},
			`field "params": "tools" is a field of the request itself`,
		},
		"two response formats": {
			batch.Request{
				UserMessage: "hi", ResponseFormat: json.RawMessage(`{"type":"text"}`), Params: map[string]any{"response_format": nil},
			},
			`fields "params" and "response_format": both have a response format`,
		},
		"a response format that is not JSON": {
			batch.Request{UserMessage: "hi", ResponseFormat: json.RawMessage(`text`)},
			`field "response_format": not JSON`,
		},
		"a stream": {
			batch.Request{UserMessage: "hi", Params: map[string]any{"stream": json.RawMessage("true")}},
			`field "params": "stream" is not supported: results are whole answers`,
		},
		"several answers": {
			batch.Request{UserMessage: "hi", Params: map[string]any{"n": json.RawMessage("2")}},
			`field "params": "n": want 1: a result holds one answer`,
		},
		"an embedding of nothing": {
			batch.Request{Input: json.RawMessage(`""`)}, `field "input": want a text or a list, which are not empty`,
		},
		"an embedding of an empty list": {
			batch.Request{Input: json.RawMessage(`[]`)}, `field "input": want a text or a list, which are not empty`,
		},
		"an embedding of a number": {
			batch.Request{Input: json.RawMessage(`1`)}, `field "input": want a text or a list, which are not empty`,
		},
		"an embedding of what is not JSON": {
			batch.Request{Input: json.RawMessage(`"a`)}, `field "input": want a text or a list, which are not empty`,
		},
		"embeddings of a list": {
			batch.Request{Input: json.RawMessage(`["a","b"]`)}, `field "input": want one text, got 2: a result holds one embedding`,
		},
		"an embedding and a question": {
			batch.Request{Input: json.RawMessage(`"a"`), UserMessage: "b"},
			`fields "input" and "user_message": want embeddings or a chat`,
		},
		"an embedding and a chat": {
			batch.Request{Input: json.RawMessage(`"a"`), Messages: chat}, `fields "input" and "messages": want embeddings or a chat`,
		},
		"an embedding and a system prompt": {
			batch.Request{Input: json.RawMessage(`"a"`), SystemPrompt: "b"},
			`fields "input" and "system_prompt": want embeddings or a chat`,
		},
		"an embedding and tools": {
			batch.Request{Input: json.RawMessage(`"a"`), Tools: []batch.Tool{{Name: "ping"}}},
			`fields "input" and "tools": want embeddings or a chat`,
		},
		"an embedding and a response format": {
			batch.Request{Input: json.RawMessage(`"a"`), ResponseFormat: json.RawMessage(`{}`)},
			`fields "input" and "response_format": want embeddings or a chat`,
		},
		"an input among the params of an embedding": {
			batch.Request{Input: json.RawMessage(`"a"`), Params: map[string]any{"input": "b"}},
			`field "params": "input" is a field of the request itself`,
		},
		"tool turns below -1": {
			batch.Request{UserMessage: "hi", MaxToolIterations: -2},
			`field "max_tool_iterations": want 1 or more, or -1 for no bound, got -2`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.request.ID = "r"
			item := &batch.Item{Origin: "line 7", Request: &test.request}
			bare := &batch.Item{Request: &test.request}
			defaults := stages.Defaults{Model: "m", Tools: runTools()}
			mustRun(t.Context(), t, []*batch.Item{item}, stages.Validate(defaults))
			mustRun(t.Context(), t, []*batch.Item{bare}, stages.Validate(defaults))
			require.Equal(t, "line 7: "+test.want, item.Result.Error)
			require.Equal(t, test.want, bare.Result.Error)
			require.Equal(t, batch.ErrInvalidRequest, item.Result.ErrorType)
			require.Equal(t, "r", item.Result.ID)
			require.False(t, item.Result.Success)
			require.True(t, item.Settled())
			require.Zero(t, item.Result.Attempts)
			require.Same(t, &test.request, item.Result.Request)
		})
	}
}

func TestValidateFindsWhatJSONCannotHold(t *testing.T) {
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	for name, value := range map[string]any{
		"a channel": make(chan int), "not a number": math.NaN(), "a cycle": cyclic, "a broken number": json.Number("1e"),
	} {
		t.Run(name, func(t *testing.T) {
			items := asking("metadata", "params")
			items[0].Request.Metadata = map[string]any{"fine": 1, "k": value}
			items[1].Request.Params = map[string]any{"fine": "x", "k": value}
			mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Fingerprints: true}))
			require.Regexp(t, `^line 1: field "metadata": "k": json: `, items[0].Result.Error)
			require.Regexp(t, `^line 2: field "params": "k": json: `, items[1].Result.Error)
			_, err := json.Marshal(items[1].Result)
			require.NoError(t, err)
		})
	}
}

func TestValidateAcceptsHarmlessParams(t *testing.T) {
	items := numbered(1)
	items[0].Request.Params = map[string]any{"n": 1, "stream": false, "stop": nil, "seed": json.Number("123456789012345678901")}
	validated(t, items, stages.Defaults{})
	require.Equal(t, items[0].Request.Params, items[0].Effective.Params)
}

func TestValidateFillsInTheRunsDefaults(t *testing.T) {
	item := validated(t, asking("hi"), stages.Defaults{
		Model: "m", SystemPrompt: "be brief", Tools: runTools(), MaxToolIterations: 3, Timeout: time.Minute,
		Params: map[string]any{"temperature": 0},
	})[0]
	e := item.Effective
	require.Equal(t, "m", e.Model)
	require.Equal(t, []batch.Message{batch.SystemMessage("be brief"), batch.UserMessage("hi")}, e.Messages)
	require.Equal(t, []string{"lookup", "ping"}, toolNames(e.Tools))
	require.Equal(t, 3, e.MaxToolIterations)
	require.Equal(t, time.Minute, e.Timeout)
	require.Equal(t, map[string]any{"temperature": 0}, e.Params)
	require.True(t, *e.ExecuteTools)
	require.Equal(t, batch.Request{ID: "hi", UserMessage: "hi"}, *item.Request, "the caller's request stays as it is")
	require.Empty(t, item.Fingerprint, "nobody asked for it")
}

func TestARequestsOwnValuesWinOverTheRuns(t *testing.T) {
	no := false
	items := []*batch.Item{{Request: &batch.Request{
		ID: "r", UserMessage: "hi", SystemPrompt: "be long", Model: "own", Tools: []batch.Tool{}, ExecuteTools: &no,
		MaxToolIterations: -1, Timeout: -1, ResponseFormat: json.RawMessage(`{"type":"text"}`),
		Params: map[string]any{"temperature": 1, "stop": nil},
	}}}
	e := validated(t, items, stages.Defaults{
		Model: "m", SystemPrompt: "be brief", Tools: runTools(), MaxToolIterations: 3, Timeout: time.Minute,
		Params: map[string]any{"temperature": 0, "seed": 1, "stop": "x", "response_format": map[string]any{"type": "json_object"}},
	})[0].Effective
	require.Equal(t, "own", e.Model)
	require.Equal(t, []batch.Message{batch.SystemMessage("be long"), batch.UserMessage("hi")}, e.Messages)
	require.Empty(t, e.Tools)
	require.False(t, *e.ExecuteTools)
	require.Equal(t, -1, e.MaxToolIterations)
	require.EqualValues(t, -1, e.Timeout)
	require.Equal(t, map[string]any{"temperature": 1, "seed": 1, "stop": nil}, e.Params)
	require.JSONEq(t, `{"type":"text"}`, string(e.ResponseFormat))
}

func TestADefaultOfToolTurnsIsTenOrAsManyAsTheyLike(t *testing.T) {
	for given, want := range map[int]int{0: 10, 1: 1, -1: -1, -5: -1} {
		item := validated(t, numbered(1), stages.Defaults{MaxToolIterations: given})[0]
		require.Equal(t, want, item.Effective.MaxToolIterations)
	}
}

func TestTheSystemPromptComesBeforeAChatThatHasNone(t *testing.T) {
	user := batch.UserMessage("hi")
	tests := map[string]struct {
		request *batch.Request
		want    []batch.Message
	}{
		"the run's": {
			&batch.Request{Messages: []batch.Message{user}},
			[]batch.Message{batch.SystemMessage("be brief"), user},
		},
		"the request's": {
			&batch.Request{SystemPrompt: "be long", Messages: []batch.Message{user}},
			[]batch.Message{batch.SystemMessage("be long"), user},
		},
		"the chat's": {
			&batch.Request{Messages: []batch.Message{batch.SystemMessage("be kind"), user}},
			[]batch.Message{batch.SystemMessage("be kind"), user},
		},
		"the chat's developer's": {
			&batch.Request{Messages: []batch.Message{{Role: "developer", Content: batch.Text("be kind")}, user}},
			[]batch.Message{{Role: "developer", Content: batch.Text("be kind")}, user},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			items := []*batch.Item{{Request: test.request}}
			validated(t, items, stages.Defaults{SystemPrompt: "be brief"})
			require.Equal(t, test.want, items[0].Effective.Messages)
		})
	}
}

func TestToolsAreResolvedByNameDefinitionAndCode(t *testing.T) {
	definition := json.RawMessage(`{"type":"function","function":{"name":"ping","description":"mine"}}`)
	items := []*batch.Item{{Request: &batch.Request{UserMessage: "hi", Tools: []batch.Tool{
		{Name: "lookup"},                             // the run's, by name
		{Name: "ping", Raw: definition},              // the request's definition, the run's code
		{Name: "own", Call: answering("own")},        // the request's
		{Name: "theirs", Description: "no code"},     // a definition without code
		{Raw: json.RawMessage(`{"type":"builtin"}`)}, // the provider's
		{Raw: json.RawMessage(`{"type":"another"}`)}, // has no name that could be there twice
	}}}}
	tools := validated(t, items, stages.Defaults{Tools: runTools()})[0].Effective.Tools
	require.Equal(t, []string{"lookup", "ping", "own", "theirs", "", ""}, toolNames(tools))
	require.Equal(t, "looks up", tools[0].Description)
	require.NotNil(t, tools[0].Call)
	require.Equal(t, definition, tools[1].Raw)
	text, err := tools[1].Call(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "pong", text)
	require.NotNil(t, tools[2].Call)
	require.Nil(t, tools[3].Call)
	require.Nil(t, tools[4].Call)
}

func TestATextForAnUnknownToolSaysWhereNoneIsKnown(t *testing.T) {
	items := numbered(1)
	items[0].Request.Tools = []batch.Tool{{Name: "ping"}}
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Equal(t, `line 1: field "tools": unknown tool "ping" (known: none)`, items[0].Result.Error)
}

func TestWhatIsDoneToTheEffectiveRequestReachesNeitherTheCallerNorOtherItems(t *testing.T) {
	spare := func() []batch.Message {
		return append(make([]batch.Message, 0, 8), batch.SystemMessage("x"), batch.UserMessage("hi"))
	}
	tools := append(make([]batch.Tool, 0, 8), runTools()...)
	params := map[string]any{"seed": 1}
	request := &batch.Request{Messages: spare(), Tools: tools[:2:8], Params: params, Metadata: map[string]any{"k": 1}}
	sharing := &batch.Request{UserMessage: "hi"}
	items := []*batch.Item{{Request: request}, {Index: 1, Request: sharing}, {Index: 2, Request: sharing}}
	defaults := stages.Defaults{Tools: append(make([]batch.Tool, 0, 8), runTools()...), Params: map[string]any{"top_k": 1}}
	validated(t, items, defaults)
	for _, item := range items {
		e := item.Effective
		e.Messages[0].Role = "changed"
		e.Messages = append(e.Messages, batch.UserMessage("more"))
		e.Tools = append(e.Tools, batch.Tool{Name: item.ID()})
		e.Params["top_k"] = 2
		e.Params["added"] = true
	}
	require.Equal(t, spare(), request.Messages)
	require.Zero(t, request.Messages[:3][2], "spare capacity is the caller's too")
	require.Zero(t, tools[:3][2].Name)
	require.Equal(t, map[string]any{"seed": 1}, params)
	require.Equal(t, map[string]any{"top_k": 1}, defaults.Params)
	require.Zero(t, defaults.Tools[:3][2].Name)
	require.Equal(t, items[1].ID(), items[1].Effective.Tools[2].Name)
}

func TestParamsCanBeChangedWithoutReachingTheCallerAlsoWhereTheRunHasNone(t *testing.T) {
	items := numbered(1)
	items[0].Request.Params = map[string]any{"seed": 1}
	validated(t, items, stages.Defaults{})
	items[0].Effective.Params["seed"] = 2
	require.Equal(t, map[string]any{"seed": 1}, items[0].Request.Params)
}

func TestARequestThatHasNoFingerprintCannotBeSent(t *testing.T) {
	items := numbered(1)
	items[0].Request.Tools = []batch.Tool{{Name: "broken", Parameters: json.RawMessage("{")}}
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Fingerprints: true}))
	require.Equal(t, batch.ErrInvalidRequest, items[0].Result.ErrorType)
	require.Contains(t, items[0].Result.Error, `line 1: parameters of tool "broken": `)
}

func TestAnIDLeftOutIsMadeOfTheBatchAndTheIndex(t *testing.T) {
	items := asking("", "", "")
	mine := asking("")
	for _, item := range append(items, mine...) {
		item.Request.UserMessage = "hi"
	}
	validated(t, items, stages.Defaults{})
	validated(t, mine, stages.Defaults{})
	form := regexp.MustCompile(`^(batch-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-(\d)$`)
	first := form.FindStringSubmatch(items[0].ID())
	last := form.FindStringSubmatch(items[2].ID())
	require.NotNil(t, first, items[0].ID())
	require.Equal(t, []string{"0", "2"}, []string{first[2], last[2]})
	require.Equal(t, first[1], last[1])
	require.NotEqual(t, items[0].ID(), mine[0].ID(), "another run has ids of its own")
	require.Empty(t, items[0].Request.ID)
}

func TestARequestWhoseIDIsTakenFailsUnderTheIDOfItsLine(t *testing.T) {
	items := asking("a", "b", "a", "line-3", "line-5", "a")
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Equal(t, []string{"a", "b", "line-3", "line-4", "line-5", "line-6"}, ids(items))
	var texts []string
	for _, item := range items {
		if item.Result != nil {
			require.Equal(t, batch.ErrInvalidRequest, item.Result.ErrorType)
			require.Equal(t, item.ID(), item.Result.Err.(*batch.RequestError).ID)
			texts = append(texts, item.Result.Error)
		}
	}
	require.Equal(t, []string{
		`line 3: duplicate id "a"`, `line 4: duplicate id "line-3"`, `line 6: duplicate id "a"`,
	}, texts)
}

func TestARequestWhoseIDAndLineAreTakenGetsAnIDAllTheSame(t *testing.T) {
	items := asking("line-2", "line-2", "line-2-duplicate", "line-3")
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Equal(t, []string{"line-2", "line-2-duplicate", "line-3", "line-4"}, ids(items))
	require.Nil(t, items[0].Result)
	require.Equal(t, `line 3: duplicate id "line-2-duplicate"`, items[2].Result.Error)
}

func TestADuplicateOutsideAFileIsNamedByTheBatch(t *testing.T) {
	items := asking("a", "a")
	for _, item := range items {
		item.Origin = ""
	}
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Regexp(t, `^batch-.*-1$`, items[1].ID())
	require.Equal(t, `duplicate id "a"`, items[1].Result.Error)
}

// unreadable returns an item as a source makes it of a line that is no request.
func unreadable(line string) *batch.Item {
	item := &batch.Item{Origin: "line " + line, Result: &batch.Result{ID: "line-" + line, Fingerprint: "v1:bytes"}}
	item.Fail(batch.ErrInvalidRequest.Errorf("line %s: not JSON", line))
	return item
}

func TestARecordThatCannotBeReadKeepsItsFailureAndNotesItsID(t *testing.T) {
	items := []*batch.Item{unreadable("1"), asking("line-1")[0]}
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Equal(t, "line 1: not JSON", items[0].Result.Error)
	require.Equal(t, "line-1", items[0].ID())
	require.Equal(t, `line 1: duplicate id "line-1"`, items[1].Result.Error)
	require.Equal(t, "line-1-duplicate", items[1].ID())
}

func TestARowWhoseIDIsTakenIsNamedByItsPlace(t *testing.T) {
	items := asking("a", "a")
	items[1].Origin = "row 70000"
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Equal(t, "row-70000", items[1].ID())
	require.Equal(t, `row 70000: duplicate id "a"`, items[1].Result.Error)
}

func TestARecordThatCannotBeReadNeverHasTheIDOfAnotherRequest(t *testing.T) {
	items := []*batch.Item{asking("line-2")[0], unreadable("2")}
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Nil(t, items[0].Result)
	require.Equal(t, "line-2-duplicate", items[1].Result.ID)
	require.Equal(t, "line-2-duplicate", items[1].Result.Err.(*batch.RequestError).ID)
	require.Equal(t, "line 2: not JSON", items[1].Result.Error)
	require.Equal(t, "v1:bytes", items[1].Result.Fingerprint)
}

func TestAResultThatASourceLeftWithoutAnIDGetsOne(t *testing.T) {
	items := []*batch.Item{{Result: &batch.Result{}}, {Index: 1, Request: &batch.Request{}, Result: &batch.Result{Success: true}}}
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Regexp(t, `^batch-.*-0$`, items[0].Result.ID)
	require.Regexp(t, `^batch-.*-1$`, items[1].Result.ID)
}

func TestDroppedItemsPassValidateUntouched(t *testing.T) {
	items := []*batch.Item{{}, {}}
	items[0].Drop("not wanted")
	items[1].Drop("not wanted")
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Nil(t, items[0].Result)
	require.Nil(t, items[1].Result)
}

func TestAnItemWithoutARequestFails(t *testing.T) {
	items := []*batch.Item{{Origin: "line 3"}, {Index: 1}}
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{}))
	require.Equal(t, "line 3: there is no request", items[0].Result.Error)
	require.Equal(t, "line-3", items[0].Result.ID)
	require.Equal(t, "there is no request", items[1].Result.Error)
	require.Regexp(t, `^batch-.*-1$`, items[1].Result.ID)
}

func TestFingerprintsStandInResultsWhereAskedForAlsoOfFailedRequests(t *testing.T) {
	defaults := stages.Defaults{Model: "m", Fingerprints: true}
	items := asking("a", "b", "b")
	items[0].Request.UserMessage = ""
	mustRun(t.Context(), t, items, stages.Validate(defaults))
	require.NotNil(t, items[0].Result)
	require.NotNil(t, items[2].Result)
	for _, item := range items {
		require.Regexp(t, "^v1:", item.Fingerprint)
	}
	require.Equal(t, items[0].Fingerprint, items[0].Result.Fingerprint)
	require.Equal(t, items[2].Fingerprint, items[2].Result.Fingerprint)
	require.Equal(t, items[1].Fingerprint, items[2].Fingerprint, "the same question")

	other := asking("b")
	defaults.Model = "another"
	validated(t, other, defaults)
	require.NotEqual(t, items[1].Fingerprint, other[0].Fingerprint, "the run's defaults count")
}

func TestValidateKeepsTheOrder(t *testing.T) {
	items := numbered(50)
	require.Equal(t, items, mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{})))
}

func TestDefaultsThatNoRequestCouldBeSentWithAreNamed(t *testing.T) {
	raw := json.RawMessage(`{"type":"web_search"}`)
	for want, d := range map[string]stages.Defaults{
		`Params: "model" is a field of the request itself`:             {Params: map[string]any{"model": "x"}},
		`Params: "stream" is not supported: results are whole answers`: {Params: map[string]any{"stream": true}},
		`Params: "n": want 1: a result holds one answer`:               {Params: map[string]any{"n": 2}},
		`Params: "k": json: unsupported type: chan int`:                {Params: map[string]any{"k": make(chan int)}},
		`Tools: "now" is there twice`:                                  {Tools: []batch.Tool{{Name: "now"}, {Raw: raw}, {Name: "now"}}},
		`Tools: tool 2 has no name`:                                    {Tools: []batch.Tool{{Name: "now"}, {Description: "?"}}},
	} {
		require.EqualError(t, d.Validate(), want)
	}
	fine := stages.Defaults{Params: map[string]any{"n": 1, "temperature": 0}, Tools: []batch.Tool{{Name: "a"}, {Raw: raw}, {Raw: raw}}}
	require.NoError(t, fine.Validate())
	require.NoError(t, stages.Defaults{}.Validate())
}

func TestNothingOfAChatAppliesToEmbeddings(t *testing.T) {
	items := []*batch.Item{{Request: &batch.Request{Input: json.RawMessage(`"a"`), Tools: []batch.Tool{}}}}
	e := validated(t, items, stages.Defaults{
		Model: "m", SystemPrompt: "be brief", Tools: runTools(), Params: map[string]any{"dimensions": 3}, Timeout: time.Second,
		Schema: schemaOf(t, `{}`),
	})[0].Effective
	require.Equal(t, "m", e.Model)
	require.Equal(t, `"a"`, string(e.Input))
	require.Equal(t, map[string]any{"dimensions": 3}, e.Params)
	require.Equal(t, time.Second, e.Timeout)
	require.Empty(t, e.Messages)
	require.Empty(t, e.Tools)
	require.Empty(t, e.ResponseFormat)
}

// TestABodyOfABatchFileReachesTheModelAsItWasWritten holds for runs that keep raw answers, as those of batch files do.
func TestABodyOfABatchFileReachesTheModelAsItWasWritten(t *testing.T) {
	const body = `{"model":"ft:gpt-4o-mini:org::id","messages":[{"role":"developer","content":"x"},{"role":"user","content":"y"},` +
		`{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",` +
		`"function":{"name":"f","arguments":"{}"}}],"refusal":null},{"role":"tool","content":"z","tool_call_id":"1"}],` +
		`"tools":[{"type":"function","function":{"name":"f","strict":false}},{"type":"web_search"}],` +
		`"response_format":{"type":"text"},"function_call":"auto","functions":[{"name":"g"}],"logprobs":false,"n":3,` +
		`"stream":false,"temperature":0,"tool_choice":null,"top_p":1.0}`
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &fields))
	request := batch.Request{ID: "a", Params: map[string]any{}}
	for name, raw := range fields {
		switch name {
		case "model", "messages", "tools", "response_format":
		default:
			request.Params[name] = raw
			delete(fields, name)
		}
	}
	rest, err := json.Marshal(fields)
	require.NoError(t, err)
	params := request.Params
	require.NoError(t, json.Unmarshal(rest, &request))
	request.Params = params
	e := validated(t, []*batch.Item{{Request: &request}}, stages.Defaults{KeepRaw: true, Schema: schemaOf(t, `{}`)})[0].Effective
	sent, err := llm.AppendBody(nil, &llm.Call{
		Model: e.Model, Messages: e.Messages, Tools: e.Tools, ResponseFormat: e.ResponseFormat, Params: e.Params,
	})
	require.NoError(t, err)
	require.Equal(t, body, string(sent))

	list := []*batch.Item{{Request: &batch.Request{Input: json.RawMessage(`["a",[1]]`)}}}
	validated(t, list, stages.Defaults{KeepRaw: true})
}

func TestIDsOfAnEarlierRunMayComeOnceEach(t *testing.T) {
	known := index.NewIndex()
	known.Add(known.Hash([]byte("a"), nil))
	items := asking("a", "b", "a", "b")
	mustRun(t.Context(), t, items, stages.Validate(stages.Defaults{Known: known}))
	require.Nil(t, items[0].Result)
	require.Nil(t, items[1].Result)
	require.Equal(t, `line 3: duplicate id "a"`, items[2].Result.Error)
	require.Equal(t, `line 4: duplicate id "b"`, items[3].Result.Error)
}
