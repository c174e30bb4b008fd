package pipeline

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAPanicOfOnProgressBreaksTheRunAndLeavesNothingBehind(t *testing.T) {
	told := 0
	p := newProcessor(t, &Config{Completer: fakeModel(time.Millisecond), OnProgress: func(Progress) {
		told++
		panic("no such window")
	}})
	response, err := p.Process(t.Context(), requests(1000))
	require.ErrorContains(t, err, "panic while telling the progress: panic: no such window")
	require.Less(t, response.TotalRequests, 1000)
	require.Len(t, response.Results, response.TotalRequests)
	require.Positive(t, told)

	var last error
	for result, err := range p.Stream(t.Context(), source.Slice(requests(1000))) {
		require.Equal(t, result == nil, err != nil)
		last = err
	}
	require.ErrorContains(t, last, "no such window")
}

func TestAPanicOfAnAcknowledgementBreaksTheRunAndLosesNoResult(t *testing.T) {
	p := newProcessor(t, &Config{Completer: fakeModel(0)})
	acknowledged := 0
	src := funcSource(func(context.Context) (*batch.Item, error) {
		return &batch.Item{
			Request: &batch.Request{UserMessage: "x"},
			Ack:     func(bool) { acknowledged++; panic("the queue is gone") },
		}, nil
	})
	var sink memory
	summary, err := p.Run(t.Context(), src, &sink)
	require.ErrorContains(t, err, "the queue is gone")
	require.NotErrorIs(t, err, io.EOF)
	require.Len(t, sink.results, summary.TotalRequests)
	require.Equal(t, summary.TotalRequests, acknowledged)
}

func TestAStageThatSendsAfterItReturnedIsNamedAndEndsNoProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := make(chan struct{})
		hasty := func(_ context.Context, in <-chan *batch.Item, out chan<- *batch.Item) error {
			for item := range in {
				go func() {
					<-late
					select {
					case out <- item: // ends the process where out was closed
					case <-time.After(time.Second):
					}
				}()
			}
			return nil
		}
		p := newProcessor(t, &Config{Completer: fakeModel(0), BeforeExecute: []batch.Stage{hasty}})
		response, err := p.Process(t.Context(), requests(3))
		require.ErrorContains(t, err, "BeforeExecute[0]: it received request 1 and never sent it on")
		require.Equal(t, 3, response.UnfinishedRequests)
		close(late)
		time.Sleep(time.Minute) // of the bubble's time: all of them have tried
	})
}
