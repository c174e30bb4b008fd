// Package example chooses the model that the examples ask, so that each runs without a key, and unchanged with one.
package example

import (
	"fmt"
	"os"
)

// Model returns GLUEPIPE_MODEL where that is set, else openai:gpt-4o-mini where OPENAI_API_KEY has a key for it. Without
// both it returns mock, a model that this program serves to itself, and says so on standard error.
func Model(mock string) string {
	if model := os.Getenv("GLUEPIPE_MODEL"); model != "" {
		return model
	}
	if os.Getenv("OPENAI_API_KEY") != "" {
		return "openai:gpt-4o-mini"
	}
	fmt.Fprintf(os.Stderr, "No OPENAI_API_KEY and no GLUEPIPE_MODEL: %s answers on this machine. It repeats the question.\n\n",
		mock)
	return mock
}
