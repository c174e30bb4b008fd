// Package pipeline runs many LLM requests as a stream: it connects a source, stages and a sink, and runs them.
//
// [BatchComplete] and [BatchCompleteSimple] run a slice of requests. A [BatchProcessor] runs several batches with one
// configuration: [BatchProcessor.Process] returns one response, [BatchProcessor.Stream] yields results as they finish, and
// [BatchProcessor.Run] moves requests from any source to any sink. The [Engine] under it connects stages by hand.
//
// Every request taken from the source ends exactly once: as a result, or dropped by name. A request's failure is data, in its
// [batch.Result]; an error returned by a run says that the run itself broke, was cancelled, or stopped: at the first failure
// under [batch.FailFast], or where everything fails (Config.AbortAfter). Beside an error there is always the partial response
// or summary.
package pipeline
