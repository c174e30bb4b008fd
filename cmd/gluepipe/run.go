package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) runCommand() *cobra.Command {
	s := defaultSettings()
	cmd := &cobra.Command{
		Use:   "run INPUT",
		Short: "Run requests from a file, a table or a database",
		Long: `run sends the requests of INPUT, a file with one JSON object a line ("-" is standard input), and writes
one result a line as each finishes.

INPUT can also be a file for OpenAI's Batch API, which comes out in its own format; or rows, which a --prompt makes
requests of and which come out with the answers beside them: CSV, TSV, Parquet, JSON, text, a database. Formats are
told by names and contents; what ends in .gz or .zst is compressed.

A request is {"user_message": "..."} or {"messages": [...]}, and may have id, system_prompt, model, tools,
params, metadata and more. What it says itself wins over the flags.

With -o, the same command again continues where the last run ended, however it ended. The first Ctrl-C
finishes what is in flight; the second cancels it. SIGTERM, or a terminal that is gone, does the first at once and
the second after --grace.

Each flag --x-y is also the environment variable GLUEPIPE_X_Y, which may stand in .env, and the key x_y of
gluepipe.yaml. A flag wins over the environment, that over .env, and that over the file. API keys come from the
provider's environment variable (OPENAI_API_KEY, ...) or from --api-key-file.

Exit codes: 0 all good, 1 the run broke, 2 wrong usage, 3 complete with failed requests, 130 interrupted.`,
		Example: `  # Try it: no network, no key, no bill.
  echo '{"user_message": "Hello"}' | gluepipe run - --model mock:echo

  # 64 requests at once, at most 500 a minute, three attempts each.
  gluepipe run requests.jsonl -o results.jsonl --model openai:gpt-4o-mini -c 64 --rpm 500 --max-attempts 3

  # A table, with an answer for each row; by a schema, its fields become columns.
  gluepipe run reviews.csv -o answers.csv --prompt 'Classify this review: {{.review}}'
  gluepipe run reviews.csv -o answers.parquet --prompt 'Judge this review: {{.review}}' --schema review.json

  # A file made for the Batch API, at a server of your own.
  gluepipe run -i batch.jsonl -o output.jsonl --model vllm:qwen3 --base-url http://gpu:8000/v1

  # With the tools of an MCP server.
  gluepipe run requests.jsonl -o results.jsonl --mcp 'npx -y @modelcontextprotocol/server-filesystem ./docs'

  # Do the failed ones again.
  gluepipe run requests.jsonl -o results.jsonl --rerun-failed

  # What would be sent?
  gluepipe run requests.jsonl --dry-run --limit 1 --param temperature=0`,
		Args: atMostOneInput,
		RunE: func(cmd *cobra.Command, args []string) error {
			lookup, err := a.loadSettings(cmd.Flags(), "", s.config)
			if err != nil {
				return err
			}
			a.preferInput(s, args)
			input, err := s.inputOf(cmd.Name(), args)
			if err != nil {
				return err
			}
			return a.run(cmd.Context(), s, lookup, input)
		},
	}
	s.runFlags(cmd.Flags())
	cmd.SetUsageFunc(sectionedUsage)
	return cmd
}

func (a *app) run(ctx context.Context, s *settings, lookup lookupFunc, input string) error {
	if err := a.checkChoices(s); err != nil {
		return err
	}
	if err := a.checkPaths(input, s); err != nil {
		return err
	}
	if s.dryRun {
		return a.dryRun(ctx, s, lookup, input)
	}
	return newJob(a, s, input).run(ctx, lookup)
}
