package llmtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAddressWithoutAHostIsLoopback(t *testing.T) {
	for addr, want := range map[string]string{
		"": "127.0.0.1:0", ":8080": "127.0.0.1:8080", "localhost:1": "localhost:1", "0.0.0.0:80": "0.0.0.0:80",
	} {
		require.Equal(t, want, Config{Addr: addr}.withDefaults().Addr)
	}
}
