package example_test

import (
	"os"
	"path/filepath"
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

func TestOnlyTheMockIsAnnouncedOnStandardError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stderr")
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	stderr := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = stderr }()

	t.Setenv("GLUEPIPE_MODEL", "")
	t.Setenv("OPENAI_API_KEY", "sk-test")
	example.Model("mock:flaky")
	said, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, said)

	t.Setenv("OPENAI_API_KEY", "")
	example.Model("mock:flaky")
	said, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(said), "mock:flaky answers on this machine")
}
