package pipeline

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImportingThePipelineLinksOnlyWhatItNeeds keeps heavy dependencies in packages of their own: who imports pipeline alone
// neither compiles nor links them.
func TestImportingThePipelineLinksOnlyWhatItNeeds(t *testing.T) {
	allowed := []string{
		"github.com/gluepipe/gluepipe",
		"github.com/google/uuid",
		"github.com/sashabaranov/go-openai",
		"github.com/sourcegraph/conc",
		"go.uber.org/multierr", "go.uber.org/zap",
		"golang.org/x/time",
		"github.com/klauspost/compress",
		// schemas of tools
		"github.com/invopop/jsonschema", "github.com/pb33f/ordered-map", "github.com/bahlo/generic-list-go",
		"github.com/buger/jsonparser", "go.yaml.in/yaml/v4", "github.com/santhosh-tekuri/jsonschema", "golang.org/x/text",
		// the parser of the tool calculate
		"github.com/expr-lang/expr",
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")
	out, err := list.Output()
	require.NoError(t, err)
	for pkg := range strings.FieldsSeq(string(out)) {
		require.True(t, slices.ContainsFunc(allowed, func(prefix string) bool {
			return pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
		}), "pipeline links %s", pkg)
	}
}
