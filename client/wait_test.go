package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"payout"
	"payout/client"
)

// The replies to questions about an order.
const (
	processing = "type=status-response\n&status=processing\n&order-stage=payout_processing\n"
	validated  = "type=status-response\n&status=processing\n&order-stage=payout_check_validated\n"
	approved   = "type=status-response\n&status=approved\n&order-stage=payout_approved\n&amount=10.42\n"
	notFound   = "type=error\n&error-message=Order+not+found\n&error-code=303\n"
)

func wait(t *testing.T, answers []reaction, change func(*client.Client)) (_ client.StatusResponse, g *gate, took time.Duration, err error) {
	t.Helper()
	var status client.StatusResponse
	g = &gate{answers: answers}
	c := g.client(t)
	c.Attempts = 1
	if change != nil {
		change(c)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		status, err = c.WaitFinal(t.Context(), endpoint, "mine", "5")
		took = time.Since(start)
	})
	return status, g, took, err
}

func TestWaitFinalAsksEveryThreeToFiveSeconds(t *testing.T) {
	status, g, took, err := wait(t, []reaction{{200, processing, nil, nil}, {200, processing, nil, nil}, {200, approved, nil, nil}}, nil)
	if err != nil || !status.Approved() || status.Amount != "10.42" || len(g.bodies) != 3 {
		t.Fatalf("%v %v after %d questions", status, err, len(g.bodies))
	}
	if took < 6*time.Second || took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	for i := 1; i < len(g.times); i++ {
		if d := g.times[i].Sub(g.times[i-1]); d < 3*time.Second || d > 5*time.Second {
			t.Errorf("question %d came after %v", i+1, d)
		}
	}
}

func TestWaitFinalEndsAfterFiveMinutesAndSaysThatTheOrderIsOpen(t *testing.T) {
	for longest, want := range map[time.Duration]time.Duration{0: 5 * time.Minute, 20 * time.Second: 20 * time.Second} {
		status, g, took, err := wait(t, []reaction{{200, processing, nil, nil}}, func(c *client.Client) { c.WaitMax = longest })
		open, ok := errors.AsType[*client.OpenError](err)
		if !ok || open.ClientOrderID != "mine" || open.Last.Status != "processing" || status.Status != "processing" || open.Err != nil {
			t.Fatalf("%v: %v", err, status)
		}
		if took > want || took < want-5*time.Second || len(g.bodies) < int(want/(5*time.Second)) {
			t.Errorf("%d questions in %v, at most %v", len(g.bodies), took, want)
		}
	}
}

func TestWaitFinalOutlivesLostAnswersButNotRefusals(t *testing.T) {
	passing := []reaction{{0, "", io.ErrUnexpectedEOF, nil}, {500, internal, nil, nil}, {503, busy, nil, nil}, {502, proxyPage, nil, nil},
		{429, "slow down", nil, nil}, {0, "", dialled, nil}, {200, approved, nil, nil}}
	if status, g, _, err := wait(t, passing, nil); err != nil || !status.Approved() || len(g.bodies) != len(passing) {
		t.Errorf("after %d questions: %v", len(g.bodies), err)
	}
	for _, refused := range []reaction{{200, notFound, nil, nil}, {403, deniedPage, nil, nil}, {0, "", &tls.CertificateVerificationError{Err: io.EOF}, nil}} {
		if _, g, took, err := wait(t, []reaction{{200, processing, nil, nil}, refused}, nil); len(g.bodies) != 2 || took > 5*time.Second {
			t.Errorf("after %d questions and %v: %v", len(g.bodies), took, err)
		} else if kind := kindOf(err); kind == isLost || kind == isReply {
			t.Errorf("%s: %v", kind, err)
		}
	}
	_, _, _, err := wait(t, []reaction{{200, processing, nil, nil}, {0, "", io.ErrUnexpectedEOF, nil}}, nil)
	open, ok := errors.AsType[*client.OpenError](err)
	if !ok || open.Last.Status != "processing" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no answer to the end: %v", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	need(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		g := &gate{answers: []reaction{{200, processing, nil, nil}}}
		status, err := g.client(t).WaitFinal(ctx, endpoint, "mine", "")
		if open, ok := errors.AsType[*client.OpenError](err); !ok || !errors.Is(err, context.DeadlineExceeded) || open.Last.Status != "processing" {
			t.Errorf("%v: %v", status, err)
		}
	})
}

func TestWaitEndsWhenItsCallerIsContent(t *testing.T) {
	need(t)
	synctest.Test(t, func(t *testing.T) {
		g := &gate{answers: []reaction{{200, processing, nil, nil}, {200, validated, nil, nil}, {200, approved, nil, nil}}}
		status, err := g.client(t).Wait(t.Context(), endpoint, "mine", "", client.StatusResponse.Confirmed)
		if err != nil || !status.Confirmed() || status.Final() || len(g.bodies) != 2 {
			t.Errorf("%v: %v", status, err)
		}
		g = &gate{answers: []reaction{{200, approved, nil, nil}}}
		if status, err := g.client(t).Wait(t.Context(), endpoint, "mine", "", client.StatusResponse.Confirmed); err != nil || !status.Final() {
			t.Errorf("a final status ends every wait: %v: %v", status, err)
		}
	})
}

func TestWhatIsFinal(t *testing.T) {
	for status, want := range map[string]bool{"approved": true, "declined": true, "error": true, "filtered": true,
		"processing": false, "unknown": false, "": false, "reversed?": false} {
		if s := (client.StatusResponse{Status: status}); s.Final() != want || s.Approved() != (status == "approved") {
			t.Errorf("%q: final %v", status, s.Final())
		}
	}
	for _, row := range payout.Stages() {
		s := client.StatusResponse{Status: string(row.Status), OrderStage: row.Stage.OrderStage(payout.TypePayout)}
		if s.Final() != row.Stage.Final() || s.Confirmed() != (row.Stage == payout.Held) {
			t.Errorf("%s: final %v, confirmed %v", row.Stage, s.Final(), s.Confirmed())
		}
	}
}

func TestQuestionsAreAskedByTheVersionThatTheClientHasAKeyFor(t *testing.T) {
	for path, key := range map[string]bool{"/paynet/api/v4/status/39915": true, "/paynet/api/v2/status/39915": false} {
		c := need(t).client()
		if !key {
			c.Key = nil
		}
		c.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path != path {
				t.Errorf("asked %s, want %s", r.URL.Path, path)
			}
			return answer(200, approved), nil
		})}
		if _, err := c.WaitFinal(t.Context(), endpoint, "mine", "5"); err != nil {
			t.Error(err)
		}
	}
}
