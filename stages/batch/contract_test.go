package batch_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestTheDrainSignalReachesTheStages(t *testing.T) {
	require.Nil(t, batch.Draining(t.Context()), "nobody can ask")
	drain := make(chan struct{})
	ctx, cancel := context.WithCancel(batch.WithDrain(t.Context(), drain))
	defer cancel()
	select {
	case <-batch.Draining(ctx):
		t.Fatal("draining too early")
	default:
	}
	close(drain)
	<-batch.Draining(ctx)
	require.NoError(t, ctx.Err(), "a drain cancels nothing")
}

func TestThePackageImportsTheStandardLibraryAlone(t *testing.T) {
	const imported = "{{if not .Standard}}{{.ImportPath}}{{end}}"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", imported, ".").Output()
	require.NoError(t, err)
	require.Equal(t, []string{
		"github.com/gluepipe/gluepipe/stages/internal/jsonscan",
		"github.com/gluepipe/gluepipe/stages/internal/jsonappend",
		"github.com/gluepipe/gluepipe/stages/batch",
	}, strings.Fields(string(out)))
}
