// Command benthos is a Redpanda Connect binary with one processor more: gluepipe, which asks a model about each message, with
// its tool loop, retries and pacing. What Redpanda Connect reads and writes (Kafka, S3, HTTP, anything) goes through it.
//
//	cd examples/benthos && go run . run classify.yaml
//
// It is a module of its own, so that nobody else links Redpanda Connect. This one has the components of benthos alone; import
// github.com/redpanda-data/connect/public/bundle/free for all the others.
package main

import (
	"context"
	"log"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

func main() {
	if err := register(service.GlobalEnvironment()); err != nil {
		log.Fatal(err)
	}
	service.RunCLI(context.Background())
}
