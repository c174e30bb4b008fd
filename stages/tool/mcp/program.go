package mcp

import (
	"errors"

	"go.uber.org/zap"
)

// newProgram starts no program yet.
func newProgram(*Server, *zap.Logger) (transport, error) {
	return nil, errors.New("programs can't be started yet")
}
