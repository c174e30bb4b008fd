package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

const batchRequest = `{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", ` +
	`"body": {"messages": [{"role": "user", "content": "Hi"}]}}` + "\n"

func TestAFlagThatMeansNothingIsRefused(t *testing.T) {
	inTempDir(t, map[string]string{
		"in.csv": reviewsCSV, "batch.jsonl": batchRequest, "schema.json": reviewSchema, "in.txt": "one\n", "in.jsonl": requests(1),
	})
	makeDatabase(t, "shop.db")
	for _, test := range []struct{ args, want string }{
		{"in.txt --delimiter ;", "--delimiter: it is for CSV"},
		{"in.csv --prompt x -o out.csv --table labels", "--table: it is for databases"},
		{"in.csv --prompt x --override-model", "--override-model: it is for OpenAI batch files"},
		{"in.csv --prompt x --embed-batch 5", "--embed-batch: want --embed too"},
		{"in.csv --prompt x --max-repairs 3", "--max-repairs: want --schema too"},
		{"in.csv --prompt x --schema-in-prompt", "--schema-in-prompt: want --schema too"},
		{"in.csv --embed review --schema schema.json", "--embed and --schema: want one of the two"},
		{"in.csv --embed review --prompt x", "--embed and --prompt: want one of the two"},
		{"in.csv --embed review --system-prompt x", "--embed and --system-prompt: want one of the two"},
		{"in.csv --embed review --image-column id", "--embed and --image-column: want one of the two"},
		{"in.csv --embed review --tools now", "--tools: --embed calls no tools"},
		{"batch.jsonl --schema schema.json", "--schema: the bodies of an OpenAI batch file are sent as they are"},
		{"batch.jsonl --input-format openai-batch --prompt x", "--input-format openai-batch says that these are requests"},
		{"--glob *.txt --lines", "--lines: a file is a request"},
		{"--glob *.txt --input-format csv", "--input-format: files of --glob are texts"},
		{"shop.db --query SELECT\t1\tAS\tid --id-column id --prompt x --input-format csv", "--input-format: "},
		{"in.csv --prompt x -o out.db --output-format csv", "--output-format: the output is a database"},
		{"in.csv --prompt x -o out.db --table a.b.c", "--table: want the name of a table"},
		{"in.csv --prompt x -o out.db --table ", "--table: want the name of a table"},
		{"in.csv --prompt x -o out.parquet.gz", "Parquet is compressed inside"},
		{"in.csv --prompt x -o s3://bucket/out.csv", "want a file"},
		{"s3://bucket/in.csv --prompt x", "want a file, a URL"},
		{"in.csv --prompt x -o sqlite:", "want a file: sqlite:FILE"},
		{"in.csv --prompt x -o sqlite::memory:", "want a file: sqlite:FILE"},
	} {
		t.Run(test.args, func(t *testing.T) {
			server := llmtest.New(t, llmtest.Config{})
			args := strings.Split(test.args, " ")
			got := gluepipe(t, "", nil, at(server, append([]string{"run"}, args...)...)...)
			require.Equal(t, exitUsage, got.code, got.stderr)
			require.Contains(t, got.stderr, test.want)
			require.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
			require.Zero(t, server.Stats().Requests)
		})
	}
	left, err := filepath.Glob("out*")
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestSettingsOfOtherRunsAreNoMistake(t *testing.T) {
	inTempDir(t, map[string]string{
		"in.jsonl": requests(1), "batch.jsonl": batchRequest, "schema.json": reviewSchema,
		"gluepipe.yaml": "table: labels\nembed_batch: 5\nmax_repairs: 3\ndelimiter: ;\noverride_model: true\n",
	})
	got := gluepipe(t, "", nil, "run", "in.jsonl", "--model", "mock:echo")
	require.Equal(t, exitOK, got.code, got.stderr)
	got = gluepipe(t, "", env{"GLUEPIPE_SCHEMA": "schema.json"}, "run", "batch.jsonl", "--model", "mock:echo", "--dry-run")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.NotContains(t, got.stdout, "response_format", "bodies are sent as they are")
}

func TestTheInputOfTheCommandLineWinsOverOthers(t *testing.T) {
	inTempDir(t, map[string]string{"a.txt": "one\n", "b.txt": "two\n"})
	for _, test := range []struct {
		environment env
		args        []string
		want        string
	}{
		{env{"GLUEPIPE_INPUT": "b.txt"}, []string{"a.txt"}, "one"},
		{env{"GLUEPIPE_INPUT": "b.txt"}, []string{"-i", "a.txt"}, "one"},
		{env{"GLUEPIPE_INPUT": "b.txt"}, nil, "two"},
		{env{"GLUEPIPE_INPUT": "b.txt"}, []string{"--glob", "a*"}, "one\n"},
		{env{"GLUEPIPE_GLOB": "b*"}, []string{"a.txt"}, "one"},
		{env{"GLUEPIPE_GLOB": "b*"}, []string{"-i", "a.txt"}, "one"},
		{env{"GLUEPIPE_GLOB": "b*"}, nil, "two\n"},
	} {
		got := gluepipe(t, "", test.environment, append([]string{"run", "--model", "mock:echo"}, test.args...)...)
		require.Equal(t, exitOK, got.code, got.stderr)
		require.Equal(t, test.want, results(t, got.stdout)[0].Response, test)
	}
	got := gluepipe(t, "", env{"GLUEPIPE_GLOB": "b*", "GLUEPIPE_INPUT": "b.txt"}, "run", "--model", "mock:echo")
	require.Equal(t, exitUsage, got.code, got.stderr)
}

func TestModelsAreNotReplacedByOneThatNobodyNamed(t *testing.T) {
	inTempDir(t, map[string]string{"batch.jsonl": batchRequest})
	got := gluepipe(t, "", env{"OPENAI_API_KEY": "k"}, "run", "batch.jsonl", "--override-model", "--dry-run")
	require.Equal(t, exitUsage, got.code, got.stderr)
	require.Contains(t, got.stderr, "--override-model: want --model too")
	got = gluepipe(t, "", env{"GLUEPIPE_MODEL": "mock:echo"}, "run", "batch.jsonl", "--override-model", "--dry-run")
	require.Equal(t, exitOK, got.code, got.stderr)
}

func TestAnOutputThatTheNextRunWouldReadIsRefused(t *testing.T) {
	dir := inTempDir(t, map[string]string{"a.txt": "one"})
	require.NoError(t, os.Mkdir("deep", 0o755))
	for _, test := range []struct {
		glob, output string
		refused      bool
	}{
		{"*.txt", "out.txt", true},
		{"./*.txt", filepath.Join(dir, "out.txt"), true},
		{"**/*.txt", "deep/out.txt", true},
		{"**", "deep/out.txt", true},
		{"*.txt", "deep/out.txt", false},
		{"*.txt", "out.jsonl", false},
	} {
		got := gluepipe(t, "", nil, "run", "--glob", test.glob, "-o", test.output, "--model", "mock:echo")
		require.Equal(t, test.refused, got.code == exitUsage, "%v\n%s", test, got.stderr)
		require.Equal(t, test.refused, strings.Contains(got.stderr, "matches --glob"), got.stderr)
	}
}
