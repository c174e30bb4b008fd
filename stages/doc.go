// Package stages holds what happens to a request on its way: [Validate], [Resume], [Execute] (with tools), [Retry],
// [Breaker] and [Collect], in this order, and [Map], [MapResults] and [Chain] for stages of your own.
//
// Each is a [batch.Stage]: it ranges over its input, works on the items that are not settled, and passes every item on. A
// request's failure travels in its Result; an error returned by a stage breaks the run.
//
// Stages that work on several items at once pass them on as they finish, not in the order in which they came.
//
// Answers follow a [Schema] where the run has one ([Defaults]), and requests with an Input are for embeddings, which
// Execute asks for in groups.
//
// Execute and Retry share an [Executor], which does the work and can tell a [Tracker] of it: what a run waits for.
package stages
