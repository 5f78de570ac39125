package simulator

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"payout"
	"payout/processor"
)

func TestBookTellsEverythingButTheReceiver(t *testing.T) {
	at := newClock()
	s := open(t, "", at)
	p := pays(6982864, 1, acceptApproveAccount)
	s.Payout(t.Context(), p)
	at.advance(2 * time.Second)
	s.Status(t.Context(), p)
	s.Status(t.Context(), pays(5, 1, "40817810099910004312"))
	got, err := s.Book(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entry := Entry{ID: 1, OrderID: 6982864, Reference: "6982864-1", Type: payout.TypePayout, Amount: p.Amount, Receiver: "****0010", TxID: "PNTEST-6982864",
		State: StateAccepted, At: newClock().now()}
	paid := entry
	paid.ID, paid.State, paid.At = 2, StatePaid, at.now()
	closed := Entry{ID: 3, OrderID: 5, Reference: "5-1", Type: payout.TypePayout, Amount: p.Amount, Receiver: "****4312", State: StateClosed, At: at.now()}
	if diff := cmp.Diff([]Entry{entry, paid, closed}, got); diff != "" {
		t.Errorf("book (-want +got):\n%s", diff)
	}
}

func TestMaskLeavesFourCharactersOfEightOrMore(t *testing.T) {
	for number, want := range map[string]string{
		"": "", "1": "****", "1234": "****", "1234567": "****", "12345678": "****5678", "79031234567": "****4567", "счёт1234": "****1234",
	} {
		if got := mask(number); got != want {
			t.Errorf("mask(%q) = %q, want %q", number, got, want)
		}
	}
}

func TestBookIsAppendOnly(t *testing.T) {
	s := open(t, "", newClock())
	s.Payout(t.Context(), pays(1, 1, approveAccount))
	for _, text := range []string{`UPDATE payments SET state = 'declined'`, `DELETE FROM payments`} {
		err := s.book.write(t.Context(), func() error {
			_, err := s.book.conn.ExecContext(context.Background(), text)
			return err
		})
		if !errors.Is(err, errUnwritten) || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", text, err)
		}
	}
	wantPaid(t, s, map[payout.OrderID]int{1: 1})
}

// TestJobsThatShareACommitAreAllWrittenOrNone calls transact beside the writer,
// which has nothing to do meanwhile.
func TestJobsThatShareACommitAreAllWrittenOrNone(t *testing.T) {
	s := open(t, "", newClock())
	inserts := func(id payout.OrderID) job {
		return job{do: func() error { return s.book.insert(rowOf(pays(id, 1, approveAccount), StatePaid, s.now())) }}
	}
	fails := job{do: func() error { return errors.New("wrong") }}
	if err := s.book.transact([]job{inserts(1), fails, inserts(2)}); !errors.Is(err, errUnwritten) {
		t.Errorf("transact with a job that fails: %v", err)
	}
	if err := s.book.transact([]job{inserts(3), inserts(4)}); err != nil {
		t.Errorf("transact after it: %v", err)
	}
	wantPaid(t, s, map[payout.OrderID]int{3: 1, 4: 1})
}

func TestReopenedBookIsTheSame(t *testing.T) {
	at := newClock()
	path := filepath.Join(t.TempDir(), "a folder", "100% book?#.db")
	s := open(t, path, at)
	s.Payout(t.Context(), pays(1, 1, approveAccount))
	s.Payout(t.Context(), pays(2, 1, acceptApproveAccount))
	s.Payout(t.Context(), pays(3, 1, nextGateAccount))
	s.Status(t.Context(), pays(4, 1, approveAccount))
	before, err := s.Book(t.Context())
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the book is elsewhere: %v", err)
	}

	s = open(t, path, at)
	after, err := s.Book(t.Context())
	if diff := cmp.Diff(before, after); err != nil || diff != "" {
		t.Errorf("book (-before +after), %v:\n%s", err, diff)
	}
	if o := s.Status(t.Context(), pays(3, 1, nextGateAccount)); o.Result != processor.ResultDeclined || !o.TryNext {
		t.Errorf("Status of a decline for the next gate: %+v", o)
	}
	wantResult(t, "Payout of a closed reference", s.Payout(t.Context(), pays(4, 1, approveAccount)), processor.ResultDeclined)
	at.advance(2 * time.Second)
	wantResult(t, "Status of an accepted payment", s.Status(t.Context(), pays(2, 1, acceptApproveAccount)), processor.ResultApproved)
}

func TestBookOfAnotherVersionIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	s := open(t, path, newClock())
	if _, err := s.book.conn.ExecContext(t.Context(), `PRAGMA user_version = 3`); err != nil {
		t.Fatal(err)
	}
	if other, err := Open(path, Options{Now: s.now}); err == nil {
		other.Close()
		t.Error("Open succeeds")
	}
}

func TestOlderBookGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	older, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(schema[0], `INSERT INTO payments VALUES (1, 7, '7-1', 1042, 'USD', '****7890', 'PNTEST-7', 'paid', 0, 0, 0, '', 0, NULL)`) {
		if _, err := older.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	if err := older.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, newClock())
	wantResult(t, "Status of an old payment", s.Status(t.Context(), pays(7, 1, approveAccount)), processor.ResultApproved)
	wantResult(t, "Payout", s.Payout(t.Context(), pays(8, 1, approveAccount)), processor.ResultApproved)
	wantPaid(t, s, map[payout.OrderID]int{7: 1, 8: 1})
}

// TestPragmasAreInForce reads them back: the driver ignores options that it does
// not know.
func TestPragmasAreInForce(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "book.db"), newClock())
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "1", "busy_timeout": "10000", "foreign_keys": "1"} {
		var got string
		if err := s.book.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q (%v), want %q", pragma, got, err, want)
		}
	}
}

func TestManyNodesOpenANewBookAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	at := newClock()
	var nodes sync.WaitGroup
	for i := range 8 {
		nodes.Go(func() {
			s, err := Open(path, Options{Now: at.now, Sleep: at.sleep})
			if err != nil {
				t.Error(err)
				return
			}
			wantOne := s.Payout(t.Context(), pays(payout.OrderID(i+1), 1, approveAccount))
			if err := s.Close(); err != nil || wantOne.Result != processor.ResultApproved {
				t.Errorf("node %d: %+v, %v", i, wantOne, err)
			}
		})
	}
	nodes.Wait()
	wantPaid(t, open(t, path, at), map[payout.OrderID]int{1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1})
}

func TestTwoNodesDecideAPaymentOnce(t *testing.T) {
	const orders = 20
	path := filepath.Join(t.TempDir(), "book.db")
	at := newClock()
	nodes := []*Simulator{open(t, path, at), open(t, path, at)}
	want := make(map[payout.OrderID]int)
	for id := payout.OrderID(1); id <= orders; id++ {
		wantResult(t, "Payout", nodes[id%2].Payout(t.Context(), pays(id, 1, acceptApproveAccount)), processor.ResultAccepted)
		want[id] = 1
	}
	at.advance(2 * time.Second)
	var asking sync.WaitGroup
	for _, s := range nodes {
		for id := range want {
			for range 2 {
				asking.Go(func() {
					if o := s.Status(t.Context(), pays(id, 1, "")); o.Result != processor.ResultApproved {
						t.Errorf("Status of order %d: %+v", id, o)
					}
				})
			}
		}
	}
	asking.Wait()
	wantPaid(t, nodes[0], want)
}

// TestPayoutAndStatusAtOnceAgree races the two on two nodes: whoever comes first,
// a reference that was called unknown is not paid.
func TestPayoutAndStatusAtOnceAgree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	at := newClock()
	one, other := open(t, path, at), open(t, path, at)
	var (
		racing sync.WaitGroup
		mu     sync.Mutex
		want   = make(map[payout.OrderID]int)
	)
	for id := payout.OrderID(1); id <= 50; id++ {
		racing.Go(func() {
			var asking sync.WaitGroup
			var asked processor.Outcome
			asking.Go(func() { asked = other.Status(t.Context(), pays(id, 1, approveAccount)) })
			paid := one.Payout(t.Context(), pays(id, 1, approveAccount))
			asking.Wait()
			mu.Lock()
			defer mu.Unlock()
			switch {
			case paid.Result == processor.ResultApproved && asked.Result == processor.ResultApproved:
				want[id] = 1
			case paid.Result == processor.ResultDeclined && asked.Result == processor.ResultBroken:
			default:
				t.Errorf("order %d: Payout answers %s and Status %s", id, paid.Result, asked.Result)
			}
		})
	}
	racing.Wait()
	wantPaid(t, one, want)
}

const killedBook = "SIMULATOR_TEST_BOOK" // environment of the process that is killed

// payUntilKilled is the main program of the process that is killed: it prints
// each order that was paid, for ever.
func payUntilKilled() {
	path := os.Getenv(killedBook)
	if path == "" {
		return
	}
	s, err := Open(path, Options{Now: newClock().now})
	if err != nil {
		panic(err)
	}
	for id := payout.OrderID(1); ; id++ {
		if o := s.Payout(context.Background(), pays(id, 1, approveAccount)); o.Result != processor.ResultApproved {
			panic(fmt.Sprint(o))
		}
		fmt.Println(id)
	}
}

func TestKilledProcessLosesNoPayment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.db")
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), killedBook+"="+path)
	child.Stderr = os.Stderr
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	told := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if told, err = strconv.Atoi(lines.Text()); err != nil {
			t.Error(err)
		}
		if told == 300 {
			err = child.Process.Kill() // SIGKILL
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := child.Wait(); err == nil || told < 300 {
		t.Fatalf("the process ended by itself after %d payments", told)
	}
	paid, err := open(t, path, newClock()).PaidByOrder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id := 1; id <= told; id++ {
		if paid[payout.OrderID(id)] != 1 {
			t.Fatalf("order %d was told as paid, and is in the book %d times", id, paid[payout.OrderID(id)])
		}
	}
}

func BenchmarkPayout(b *testing.B) {
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "book.db"), newClock())
			var orders atomic.Int64
			b.SetParallelism(callers) // for each CPU
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := payout.OrderID(orders.Add(1))
					if o := s.Payout(b.Context(), pays(id, 1, approveAccount)); o.Result != processor.ResultApproved {
						b.Errorf("%+v", o)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "payouts/s")
		})
	}
}

func TestPaymentsAreReadWithoutDecidingAny(t *testing.T) {
	at, path := newClock(), filepath.Join(t.TempDir(), "book.db")
	s := open(t, path, at)
	s.Payout(t.Context(), pays(1, 1, approveAccount))
	s.Payout(t.Context(), pays(2, 1, acceptApproveAccount))
	at.advance(time.Hour)
	read := func() (references []string) {
		t.Helper()
		err := Payments(t.Context(), path, func(e Entry) {
			references = append(references, e.Reference)
			if e.Amount != pays(1, 1, approveAccount).Amount || e.Receiver == "" || e.At.IsZero() {
				t.Errorf("told %+v", e)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return references
	}
	for range 2 {
		if diff := cmp.Diff([]string{"1-1"}, read()); diff != "" {
			t.Errorf("an accepted payment was decided (-want +got):\n%s", diff)
		}
	}
	s.Status(t.Context(), pays(2, 1, acceptApproveAccount)) // the rail itself decides
	if diff := cmp.Diff([]string{"1-1", "2-1"}, read()); diff != "" {
		t.Errorf("payments (-want +got):\n%s", diff)
	}
	if err := Payments(t.Context(), filepath.Join(t.TempDir(), "none.db"), func(Entry) {}); err == nil {
		t.Error("a book that is not there was read")
	}
}
