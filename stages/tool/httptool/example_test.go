package httptool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
	"github.com/gluepipe/gluepipe/stages/tool/httptool"
)

// A tool of a weather service, as a model calls it.
func ExampleNew() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"path":%q,"units":%q}`, r.URL.Path, r.URL.Query().Get("units"))
	}))
	defer service.Close()

	weather, err := httptool.New(httptool.Config{
		Name:        "get_weather",
		Description: "Tells the current weather in a city.",
		Parameters: json.RawMessage(`{
			"type": "object",
			"properties": {"city": {"type": "string"}, "units": {"enum": ["metric", "imperial"]}},
			"required": ["city"]
		}`),
		URL:          service.URL + "/weather/{{.city}}?units={{.units}}",
		AllowPrivate: true, // the service is on this machine
		ReadOnly:     true,
	})
	if err != nil {
		panic(err)
	}
	executions := tool.Run(context.Background(), []batch.Tool{weather}, []batch.ToolCall{
		{Name: "get_weather", Arguments: `{"city":"São Paulo","units":"metric"}`},
		{Name: "get_weather", Arguments: `{"city":"../admin"}`},
		{Name: "get_weather", Arguments: `{"units":"kelvin"}`},
	}, tool.RunOptions{})
	for _, e := range executions {
		fmt.Println(e.Result)
	}
	// Output:
	// {"path":"/weather/São Paulo","units":"metric"}
	// error: arguments: want no ".." in the path of the URL
	// error: arguments: at "/city": missing property; at "/units": value must be one of 'metric', 'imperial'
}
