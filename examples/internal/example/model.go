// Package example chooses the model that the examples ask, so that each of them runs without a key, and unchanged with one.
package example

import (
	"fmt"
	"os"
)

// Model returns GLUEPIPE_MODEL where that is set, else openai:gpt-4o-mini where there is a key for it in OPENAI_API_KEY.
// Without both it returns mock, a model that this program serves to itself, and says so on standard error.
func Model(mock string) string {
	if model := os.Getenv("GLUEPIPE_MODEL"); model != "" {
		return model
	}
	if os.Getenv("OPENAI_API_KEY") != "" {
		return "openai:gpt-4o-mini"
	}
	fmt.Fprintf(os.Stderr, "No GLUEPIPE_MODEL and no OPENAI_API_KEY: %s answers on this machine and repeats the question.\n\n", mock)
	return mock
}
