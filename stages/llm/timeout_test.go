package llm_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/llm"
)

func ExampleTimeout() {
	slow := llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	_, err := llm.Timeout(slow).Complete(context.Background(), &llm.Call{Timeout: time.Millisecond})
	fmt.Println(err, errors.Is(err, batch.ErrAPITimeout))
	// Output: no answer within 1ms true
}

func TestTimeoutMakesAnOverrunARetryableTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		call := &llm.Call{Timeout: 10 * time.Minute}
		_, err := llm.Timeout(&mwServer{latency: time.Hour}).Complete(t.Context(), call)
		var e *llm.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, batch.ErrAPITimeout, e.Kind)
		require.True(t, e.Retryable)
		require.EqualError(t, err, "no answer within 10m0s")
		require.Equal(t, 10*time.Minute, time.Since(began))
	})
}

func TestTimeoutOfZeroOrLessIsNoBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{0, -1} {
			_, err := llm.Timeout(&mwServer{latency: 100 * time.Hour}).Complete(t.Context(), &llm.Call{Timeout: d})
			require.NoError(t, err)
		}
	})
}

func TestTimeoutLeavesOtherErrorsAsTheyAre(t *testing.T) {
	refused := mwFailed(batch.ErrInvalidRequest, 400)
	tests := map[string]struct {
		runEnds time.Duration
		next    llm.Completer
		want    error
	}{
		"the run's end": {
			runEnds: time.Second,
			next:    &mwServer{latency: time.Hour},
			want:    context.DeadlineExceeded,
		},
		"an error in time": {
			next: &mwServer{answer: func(int, *llm.Call) (*llm.Answer, error) { return nil, refused }},
			want: refused,
		},
		"an error answer that comes with the end": {
			next: llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
				<-ctx.Done()
				return nil, refused
			}),
			want: refused,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), cmp.Or(test.runEnds, time.Hour))
				defer cancel()
				_, err := llm.Timeout(test.next).Complete(ctx, &llm.Call{Timeout: time.Minute})
				require.Equal(t, test.want, err)
			})
		})
	}
}

func TestTimeoutKeepsAnAnswerThatCameLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := llm.CompleterFunc(func(ctx context.Context, _ *llm.Call) (*llm.Answer, error) {
			<-ctx.Done()
			return &llm.Answer{Text: "paid for"}, nil
		})
		answer, err := llm.Timeout(late).Complete(t.Context(), &llm.Call{Timeout: time.Second})
		require.NoError(t, err)
		require.Equal(t, "paid for", answer.Text)
	})
}
