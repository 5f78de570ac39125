package server_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// A span is what is looked at of a span that was received.
type span struct {
	name       string
	attributes map[string]string
}

// A traceReceiver is a collector: it takes traces by OTLP over HTTP.
type traceReceiver struct {
	mu       sync.Mutex
	raw      bytes.Buffer // everything that came
	spans    []span
	resource map[string]string
}

func (c *traceReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, of := range request.ResourceSpans {
		c.resource = attributesOf(of.Resource.Attributes)
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, span{s.Name, attributesOf(s.Attributes)})
			}
		}
	}
}

func attributesOf(pairs []*common.KeyValue) map[string]string {
	found := make(map[string]string)
	for _, pair := range pairs {
		if n, ok := pair.Value.Value.(*common.AnyValue_IntValue); ok {
			found[pair.Key] = strconv.FormatInt(n.IntValue, 10)
		} else {
			found[pair.Key] = pair.Value.GetStringValue()
		}
	}
	return found
}

// of are the spans with an attribute, by name.
func (c *traceReceiver) of(attribute, value string) map[string]span {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := make(map[string]span)
	for _, s := range c.spans {
		if s.attributes[attribute] == value {
			found[s.name] = s
		}
	}
	return found
}

// An order's life is followed by its attribute from the request to the callback;
// nothing that came says what was paid, or to whom.
func TestTracesFollowAnOrderFromItsRequestToItsCallback(t *testing.T) {
	t.Parallel()
	traces := new(traceReceiver)
	endpoint := httptest.NewServer(traces)
	t.Cleanup(endpoint.Close) // after the server, which sends its last spans at the stop
	called := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(called.Close)
	c := newConfig(t)
	c.OTLPEndpoint = endpoint.URL
	h := start(t, c)
	const token, account = "SECRET-token", "2000000020" // no answer at first, then paid
	_, order := h.pay("SECRET-order", account, callbackTo(called.URL+"/?token="+token))
	eventually(t, within, "the callback's span has come", func() bool {
		return traces.of("payoutd.order", order.String())["callback"].name != ""
	})
	life := traces.of("payoutd.order", order.String())
	for name, want := range map[string]map[string]string{
		"v4/payout":     {"payoutd.command": "v4/payout", "payoutd.verdict": "ok", "http.response.status_code": "200"},
		"rail sending":  {"payoutd.gate": "Bank", "payoutd.result": "lost", "payoutd.attempt": "1"},
		"rail doubtful": {"payoutd.gate": "Bank", "payoutd.result": "approved", "payoutd.stage": "doubtful"},
		"callback": {"payoutd.receiver": strings.TrimPrefix(called.URL, "http://"), "payoutd.state": "delivered", "payoutd.attempt": "1",
			"http.response.status_code": "200"},
	} {
		for attribute, value := range want {
			if got := life[name].attributes[attribute]; got != value {
				t.Errorf("%s of %q is %q, want %q", attribute, name, got, value)
			}
		}
	}
	if life["v4/payout"].attributes["payoutd.serial"] == "" {
		t.Error("the request has no serial-number")
	}
	if commit := traces.of("payoutd.end", "stored")["commit"]; commit.attributes["payoutd.writes"] == "" || commit.attributes["payoutd.rows"] == "" {
		t.Errorf("the commit is %v", commit)
	}
	traces.mu.Lock()
	defer traces.mu.Unlock()
	if traces.resource["service.name"] != "payoutd" {
		t.Errorf("the resource is %v", traces.resource)
	}
	for _, secret := range []string{token, account, "SECRET-order", controlKey, "10.42"} {
		if bytes.Contains(traces.raw.Bytes(), []byte(secret)) {
			t.Errorf("the traces have %s", secret)
		}
	}
}

// A collector that is down costs a line in the log, and nothing else.
func TestCollectorThatIsDownStopsNothing(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(nil)
	down.Close()
	c := newConfig(t)
	c.OTLPEndpoint = down.URL
	h := start(t, c)
	h.pay("1", "1234567890")
	eventually(t, within, "the order is final", func() bool { return h.status("1").Get("status") == "approved" })
	h.stop()
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
}
