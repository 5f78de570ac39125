package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"payout"
	"payout/client"
	"payout/docs"
	"payout/gateway"
	"payout/sign"
	"payout/spec"
	"payout/storage"
)

const (
	preparedFor  = 10 * time.Minute      // how long what was prepared for examples is used again
	prepareMost  = 10 * time.Second      // longest preparation
	preparePause = 20 * time.Millisecond // between two looks at an order that is prepared
)

// A sandbox is what a gateway has for integrators besides the API: a merchant
// whose key everybody may use, and orders to go on from.
type sandbox struct {
	db       *storage.DB
	client   client.Client // calls this gateway, without a network
	merchant docs.Merchant
	now      func() time.Time

	mu       sync.Mutex // held while something is prepared: one is enough
	prepared map[*spec.Command]prepared
}

// prepared are the values that make an example of a command acceptable.
type prepared struct {
	values []sign.Pair
	at     time.Time
}

// openSandbox makes the sandbox's merchant ready, who signs by the key.
func (s *server) openSandbox(ctx context.Context, key *rsa.PrivateKey) error {
	party, err := gateway.SetUpSandbox(ctx, s.db, now(), &key.PublicKey)
	if err != nil {
		return err
	}
	merchant := docs.Merchant{Login: party.Login, Endpoint: gateway.SandboxEndpoint, Group: gateway.SandboxGroup, Key: key, ControlKey: party.ControlKey}
	s.sandbox = &sandbox{db: s.db, merchant: merchant, now: now, prepared: make(map[*spec.Command]prepared),
		client: client.Client{BaseURL: cmp.Or(s.config.PublicURL, "http://sandbox.invalid") + s.config.ContextPath, Login: party.Login, Key: key,
			ControlKey: party.ControlKey.Reveal(), HTTP: &http.Client{Transport: inProcess{s}}, Attempts: 1, Now: now, Nonce: rand.Text}}
	return nil
}

// inProcess takes requests to the server's own handler.
type inProcess struct{ server *server }

// RoundTrip implements http.RoundTripper.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	received := r.Clone(r.Context())
	received.RemoteAddr, received.RequestURI, received.Host = "127.0.0.1:0", r.URL.RequestURI(), cmp.Or(r.Host, r.URL.Host)
	a := answer{header: make(http.Header), status: http.StatusOK}
	p.server.handler().ServeHTTP(&a, received)
	return &http.Response{Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r}, nil
}

// An answer is what the handler has written.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

// signUp makes a merchant for a key that somebody has made.
func (s *server) signUp(ctx context.Context, key *rsa.PublicKey) (docs.Merchant, error) {
	party, endpoint, err := s.gateway.SignUp(ctx, key)
	if err != nil {
		return docs.Merchant{}, err
	}
	return docs.Merchant{Login: party.Login, Endpoint: endpoint, ControlKey: party.ControlKey}, nil
}

// prepare does what comes before a command, and returns the values with which
// its example goes on from there: the ids of an order, or a reference.
func (b *sandbox) prepare(ctx context.Context, c *spec.Command) ([]sign.Pair, error) {
	if c.After == nil {
		return nil, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, prepareMost)
	defer cancel()
	return b.goOn(ctx, c)
}

func (b *sandbox) goOn(ctx context.Context, c *spec.Command) ([]sign.Pair, error) {
	if c.After == nil {
		return nil, nil
	}
	if p, ok := b.prepared[c]; ok && b.now().Sub(p.at) < preparedFor {
		return p.values, nil
	}
	before := c.After.Command
	values, err := b.goOn(ctx, before)
	if err != nil {
		return nil, err
	}
	form := before.Example()
	set(form, spec.ClientOrderID, "before-"+strings.ToLower(rand.Text()[:12]))
	for _, pair := range values {
		setName(form, pair.Name, pair.Value)
	}
	set(form, spec.Login, b.merchant.Login)
	reply, err := b.client.Do(ctx, before, client.Endpoint(int64(b.merchant.Endpoint)), form)
	if err != nil {
		return nil, fmt.Errorf("prepare the example of %s: %w", c.Path(), err)
	}
	if values, err = b.given(ctx, c, form, reply); err != nil {
		return nil, fmt.Errorf("prepare the example of %s: %w", c.Path(), err)
	}
	b.prepared[c] = prepared{values, b.now()}
	return values, nil
}

// given is what a command takes from the request before it and its reply.
func (b *sandbox) given(ctx context.Context, c *spec.Command, form []sign.Pair, reply client.Reply) ([]sign.Pair, error) {
	if c.After.Gives != nil {
		return []sign.Pair{{Name: c.After.Takes.Name, Value: reply.Get(c.After.Gives.Name)}}, nil
	}
	id, err := payout.ParseOrderID(reply.Get(spec.FieldPaynetOrder.Name))
	if err != nil {
		return nil, fmt.Errorf("the reply's paynet-order-id %w", err)
	}
	if err := b.reach(ctx, id, c.After.Stage); err != nil {
		return nil, err
	}
	values := []sign.Pair{{Name: spec.OrderNumber.Name, Value: id.String()}}
	for _, pair := range form {
		if pair.Name == spec.ClientOrderID.Name {
			values = append(values, pair)
		}
	}
	return values, nil
}

// reach waits until an order has come to a stage; empty is any.
func (b *sandbox) reach(ctx context.Context, id payout.OrderID, stage payout.Stage) error {
	for stage != "" {
		order, err := b.db.Order(ctx, id)
		if err != nil {
			return err
		}
		if order.Stage == stage {
			return nil
		}
		if order.Stage.Final() {
			return errors.New("the order before it ended " + string(order.Stage))
		}
		timer := time.NewTimer(preparePause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
	return nil
}

func set(form []sign.Pair, p *spec.Param, value string) { setName(form, p.Name, value) }

func setName(form []sign.Pair, name, value string) {
	for i := range form {
		if form[i].Name == name {
			form[i].Value = value
		}
	}
}
