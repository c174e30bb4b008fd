package llm_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(serveVar) != "" {
		serveFixed()
		return
	}
	goleak.VerifyTestMain(m)
}
