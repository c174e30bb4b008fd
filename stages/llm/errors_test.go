package llm

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAnErrorWithoutACauseIsItsKind(t *testing.T) {
	err := &Error{Kind: batch.ErrServer}
	require.EqualError(t, err, "ServerError")
	require.ErrorIs(t, err, batch.ErrServer)
	require.Equal(t, batch.ErrServer, batch.KindOf(err))
}
