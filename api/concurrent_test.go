package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"payout"
	"payout/storage"
	"payout/storage/storagetest"
)

const atOnce = 50 // requests at the same moment

// An answer is what one of many clients got.
type answer struct {
	status int
	body   string
	err    error
}

// sendAtOnce sends requests to real servers at the same moment, to each its share.
func sendAtOnce(requests []*http.Request, client *http.Client) []answer {
	answers := make([]answer, len(requests))
	start := make(chan struct{})
	var clients sync.WaitGroup
	for i, r := range requests {
		clients.Go(func() {
			<-start
			reply, err := client.Do(r)
			if err != nil {
				answers[i].err = err
				return
			}
			defer reply.Body.Close()
			body, err := io.ReadAll(reply.Body)
			answers[i] = answer{reply.StatusCode, string(body), err}
		})
	}
	close(start)
	clients.Wait()
	return answers
}

// nodes makes nodes on one database, each behind a server of its own.
func nodes(t *testing.T, db *storage.DB, n int) (all []*sandbox, servers []*httptest.Server) {
	t.Helper()
	for i := range n {
		var s *sandbox
		if i == 0 {
			s = newSandboxOn(t, db)
		} else {
			s = newNode(t, storagetest.Again(t, db))
		}
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		all, servers = append(all, s), append(servers, server)
	}
	return all, servers
}

func TestIdenticalRequestsAtOnceMakeOneOrder(t *testing.T) {
	for _, n := range []int{1, 2} {
		t.Run(fmt.Sprint(n, " nodes"), func(t *testing.T) {
			storagetest.Each(t, func(t *testing.T, db *storage.DB) {
				nodes, servers := nodes(t, db, n)
				requests := make([]*http.Request, atOnce)
				for i := range requests {
					m := goodPayout("same")
					m.nonce = fmt.Sprint("at-once-", i)
					requests[i] = nodes[i%n].request(servers[i%n], m)
				}
				answers := sendAtOnce(requests, servers[0].Client())
				if got := nodes[0].orders(); got != 1 {
					t.Errorf("%d orders, want 1", got)
				}
				wantOneOrder(t, answers)
			})
		})
	}
}

// wantOneOrder checks that all clients were told of one order, each by a
// serial-number of its own.
func wantOneOrder(t *testing.T, answers []answer) {
	t.Helper()
	order := field(answers[0].body, "paynet-order-id")
	serials := make(map[string]bool)
	for i, a := range answers {
		if a.err != nil || a.status != http.StatusOK || field(a.body, "type") != "async-response" || field(a.body, "paynet-order-id") != order {
			t.Errorf("client %d: answered %d %s (%v), want the order %s", i, a.status, a.body, a.err, order)
		}
		serials[field(a.body, "serial-number")] = true
	}
	if len(serials) != len(answers) {
		t.Errorf("%d serial-numbers for %d requests", len(serials), len(answers))
	}
}

func TestRequestsThatDifferAtOnceMakeOneOrderAndTellTheOthers(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		nodes, servers := nodes(t, db, 2)
		requests := make([]*http.Request, atOnce)
		for i := range requests {
			m := goodPayout("same")
			m.body = "client_orderid=same&account_number=1234567890&currency=USD&amount=" + fmt.Sprint(1+i)
			m.nonce = fmt.Sprint("at-once-", i)
			requests[i] = nodes[i%2].request(servers[i%2], m)
		}
		accepted := 0
		for i, a := range sendAtOnce(requests, servers[0].Client()) {
			switch {
			case a.err != nil:
				t.Errorf("client %d: %v", i, a.err)
			case field(a.body, "type") == "async-response":
				accepted++
			case field(a.body, "error-code") != "305":
				t.Errorf("client %d: answered %d %s, want code 305", i, a.status, a.body)
			}
		}
		if got := nodes[0].orders(); accepted != 1 || got != 1 {
			t.Errorf("%d accepted and %d orders, want one", accepted, got)
		}
	})
}

func TestOneRequestCopiedAtOnceIsAcceptedOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		nodes, servers := nodes(t, db, 2)
		requests := make([]*http.Request, atOnce)
		for i := range requests {
			m := goodPayout("copied")
			m.nonce = "the same"
			requests[i] = nodes[i%2].request(servers[i%2], m)
		}
		accepted := 0
		for i, a := range sendAtOnce(requests, servers[0].Client()) {
			switch {
			case a.err != nil:
				t.Errorf("client %d: %v", i, a.err)
			case a.status == http.StatusOK:
				accepted++
			case a.status != http.StatusForbidden:
				t.Errorf("client %d: answered %d %s, want 403", i, a.status, a.body)
			}
		}
		if got := nodes[0].orders(); accepted != 1 || got != 1 {
			t.Errorf("%d accepted and %d orders, want one", accepted, got)
		}
	})
}

func TestPayoutPayAtOnceMovesTheOrderOnce(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		nodes, servers := nodes(t, db, 2)
		first := goodPayout("two-steps")
		first.path = "/paynet/api/v4/payout-check/39915"
		nodes[0].wantAccepted("payout-check", first)
		nodes[0].settle()
		orders, err := db.LatestOrders(t.Context(), "", 1)
		check(t, err)
		requests := make([]*http.Request, atOnce)
		for i := range requests {
			m := message{method: http.MethodPost, path: "/paynet/api/v4/payout-pay/39915", login: login, nonce: fmt.Sprint("at-once-", i),
				body: "client_orderid=two-steps&login=TestMerchant&orderid=" + orders[0].ID.String()}
			requests[i] = nodes[i%2].request(servers[i%2], m)
		}
		wantOneOrder(t, sendAtOnce(requests, servers[0].Client()))
		paid := 0
		history, err := db.History(t.Context(), orders[0].ID)
		check(t, err)
		for _, m := range history {
			if m.Event == payout.Pay {
				paid++
			}
		}
		if paid != 1 {
			t.Errorf("payout-pay moved the order %d times, want once: %v", paid, history)
		}
	})
}

func TestSerialNumbersOfRequestsAtOnceHaveNoGapWithinANode(t *testing.T) {
	s := newSandbox(t)
	server := httptest.NewServer(s)
	defer server.Close()
	requests := make([]*http.Request, atOnce)
	for i := range requests {
		requests[i] = s.request(server, goodPayout(fmt.Sprint(i)))
	}
	serials := make(map[string]bool)
	for _, a := range sendAtOnce(requests, server.Client()) {
		serials[field(a.body, "serial-number")] = true
	}
	for i := range atOnce {
		if want := fmt.Sprintf("00000000-0000-0000-0000-%012x", i+1); !serials[want] {
			t.Errorf("no answer has the serial-number %s", want)
		}
	}
}
