package example_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/examples/internal/example"
)

func TestTheModelOfTheEnvironmentWinsOverAKeyAndThatOverTheMock(t *testing.T) {
	t.Setenv("GLUEPIPE_MODEL", "groq:llama")
	t.Setenv("OPENAI_API_KEY", "sk-test")
	require.Equal(t, "groq:llama", example.Model("mock:flaky"))

	t.Setenv("GLUEPIPE_MODEL", "")
	require.Equal(t, "openai:gpt-4o-mini", example.Model("mock:flaky"))

	t.Setenv("OPENAI_API_KEY", "")
	require.Equal(t, "mock:flaky", example.Model("mock:flaky"))
}
