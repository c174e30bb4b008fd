package command_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
	"github.com/gluepipe/gluepipe/stages/tool/command"
)

func ExampleNew() {
	greet, err := command.New(command.Config{
		Name:        "greet",
		Description: "Greets somebody.",
		Parameters:  json.RawMessage(`{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}`),
		Command:     []string{"echo", "Hello,", "{{.name}}"},
		ReadOnly:    true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	executions := tool.Run(context.Background(), []batch.Tool{greet}, []batch.ToolCall{
		{Name: "greet", Arguments: `{"name": "Ada; rm -rf /"}`},
		{Name: "greet", Arguments: `{"name": "-n"}`},
		{Name: "greet", Arguments: `{}`},
	}, tool.RunOptions{})
	for _, e := range executions {
		fmt.Println(e.Result)
	}
	// Output:
	// Hello, Ada; rm -rf /
	// error: arguments: at "/name": want a value that doesn't begin with "-"
	// error: arguments: at "/name": missing property
}
