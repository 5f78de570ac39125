package simulator

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"payout"
	"payout/processor"
	"payout/processor/processortest"
)

func TestMain(m *testing.M) {
	payUntilKilled()
	goleak.VerifyTestMain(m)
}

// A clock is the rail's clock in tests. Sleeping costs no time, is remembered,
// and ends early when the context has ended.
type clock struct {
	mu    sync.Mutex
	at    time.Time
	slept []time.Duration
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 3, 8, 10, 34, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slept = append(c.slept, d)
	return ctx.Err()
}

// waited returns what was slept since it was last asked.
func (c *clock) waited() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sum time.Duration
	for _, d := range c.slept {
		sum += d
	}
	c.slept = nil
	return sum
}

func open(t testing.TB, path string, c *clock) *Simulator {
	t.Helper()
	s, err := Open(path, Options{Now: c.now, Sleep: c.sleep})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// pays makes the attempt of an order to an account.
func pays(order payout.OrderID, attempt int, account string) processor.Payment {
	return processor.Payment{Reference: payout.Reference(order, attempt), OrderID: order, Attempt: attempt, Type: payout.TypePayout,
		Amount: payout.Amount{Minor: 1042, Currency: "USD"}, Receiver: processor.Receiver{AccountNumber: account}}
}

func wantResult(t *testing.T, what string, got processor.Outcome, want processor.Result) {
	t.Helper()
	if got.Result != want {
		t.Fatalf("%s: got %s (%v), want %s", what, got.Result, got.Err, want)
	}
}

func wantPaid(t *testing.T, s *Simulator, want map[payout.OrderID]int) {
	t.Helper()
	got, err := s.PaidByOrder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("paid by order (-want +got):\n%s", diff)
	}
}

// The numbers of our own table, as the tests call them.
const (
	approveAccount       = "1234567890"
	declineAccount       = "0987654321"
	breakAccount         = "1987654321"
	slowAccount          = "2000000003"
	slowestAccount       = "2000000030"
	acceptApproveAccount = "2000000010"
	acceptDeclineAccount = "2000000011"
	silentPaidAccount    = "2000000020"
	silentUnpaidAccount  = "2000000021"
	refuseAccount        = "2000000040"
	nextGateAccount      = "2000000050"
	twiceAccount         = "2000000070"
	checkDeclineAccount  = "2000000060"
	checkSlowAccount     = "2000000063"
)

var (
	noNonsense = processortest.Behaviour{Skip: "the simulator has no wire on which nonsense could come"}
	noTwice    = processortest.Behaviour{Skip: "the simulator has no wire on which an answer could come twice"}
)

func TestSimulatorPassesTheBattery(t *testing.T) {
	at := newClock()
	s, err := Open(filepath.Join(t.TempDir(), "book.db"), Options{Now: at.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	to := func(account string) processortest.Behaviour {
		return processortest.Behaviour{Receiver: processor.Receiver{AccountNumber: account}}
	}
	settling := func(account string) processortest.Behaviour {
		b := to(account)
		b.Settle = func() { at.advance(2 * time.Second) }
		return b
	}
	payouts := processortest.Behaviours{
		Approve:        to(approveAccount),
		Decline:        to(declineAccount),
		DeclineTryNext: to(nextGateAccount),
		Break:          to(breakAccount),
		AcceptApprove:  settling(acceptApproveAccount),
		AcceptDecline:  settling(acceptDeclineAccount),
		Refuse:         to(refuseAccount),
		CutPaid:        to(silentPaidAccount),
		CutUnpaid:      to(silentUnpaidAccount),
		Late:           to(slowestAccount),
		Nonsense:       noNonsense,
		Twice:          to(twiceAccount),
		CheckApprove:   to(approveAccount),
		CheckDecline:   to(checkDeclineAccount),
	}
	charges := chargeBehaviours()
	processortest.Run(t, processortest.Rail{
		Processor: s,
		Settings:  map[string]string{SettingSilence: "1ms"},
		Amount:    payout.Amount{Minor: 1042, Currency: "USD"},
		At:        at.now(),
		Paid: func(reference string) (deeds []processortest.Deed) {
			entries, err := s.Book(t.Context())
			if err != nil {
				t.Error(err)
			}
			for _, e := range entries {
				if e.Reference == reference && e.State == StatePaid {
					deeds = append(deeds, processortest.Deed{Type: e.Type, Amount: e.Amount})
				}
			}
			return deeds
		},
		Payouts: payouts,
		Charges: map[payout.TransactionType]processortest.Behaviours{
			payout.TypeSale: charges, payout.TypePreauth: charges, payout.TypeAccountVerification: charges},
	})
}

// TestScenarios walks the table: what each attempt is answered and after how
// long, what Status says then, and what was paid at the end.
func TestScenarios(t *testing.T) {
	const (
		approved = processor.ResultApproved
		declined = processor.ResultDeclined
		accepted = processor.ResultAccepted
		unsent   = processor.ResultUnsent
		broken   = processor.ResultBroken
		lost     = processor.ResultLost
	)
	tests := map[string]struct {
		payout []processor.Result // by attempt
		wait   time.Duration      // of the first attempt
		status processor.Result   // of the last attempt, when all is decided
		code   payout.ErrCode     // of that Status
		paid   int
	}{
		approveAccount:       {[]processor.Result{approved}, 0, approved, 0, 1},
		declineAccount:       {[]processor.Result{declined}, 0, declined, payout.CodeDeclined, 0},
		breakAccount:         {[]processor.Result{broken}, 0, broken, payout.CodeProcessorError, 0},
		slowAccount:          {[]processor.Result{approved}, 3 * time.Second, approved, 0, 1},
		slowestAccount:       {[]processor.Result{approved}, 30 * time.Second, approved, 0, 1},
		acceptApproveAccount: {[]processor.Result{accepted}, 0, approved, 0, 1},
		acceptDeclineAccount: {[]processor.Result{accepted}, 0, declined, payout.CodeDeclined, 0},
		silentPaidAccount:    {[]processor.Result{lost}, 5 * time.Second, approved, 0, 1},
		silentUnpaidAccount:  {[]processor.Result{lost}, 5 * time.Second, broken, payout.CodeUnknownToRail, 0},
		refuseAccount:        {[]processor.Result{unsent, unsent, approved, approved}, 0, approved, 0, 2},
		nextGateAccount:      {[]processor.Result{declined, approved, approved}, 0, approved, 0, 2},
		twiceAccount:         {[]processor.Result{approved}, settingMost + lateBy, approved, 0, 1},
		checkDeclineAccount:  {[]processor.Result{approved}, 0, approved, 0, 1},
		checkSlowAccount:     {[]processor.Result{approved}, 0, approved, 0, 1},
	}
	for _, sc := range Scenarios() {
		tt, ok := tests[sc.Account]
		if !ok {
			t.Errorf("scenario %s is not tested", sc.Name)
			continue
		}
		for way, receiver := range map[string]processor.Receiver{
			"account": {AccountNumber: sc.Account}, "phone": {Phone: sc.Phone},
		} {
			t.Run(sc.Name+" by "+way, func(t *testing.T) {
				at, p := newClock(), processor.Payment{}
				s := open(t, "", at)
				for i, want := range tt.payout {
					p = pays(7, i+1, "")
					p.Receiver = receiver
					got := s.Payout(t.Context(), p)
					wantResult(t, "Payout", got, want)
					if got.TryNext != (sc.Account == nextGateAccount && i == 0) {
						t.Errorf("attempt %d: TryNext is %v", i+1, got.TryNext)
					}
					if waited := at.waited(); i == 0 && waited != tt.wait {
						t.Errorf("answered after %s, want %s", waited, tt.wait)
					}
				}
				at.advance(2 * time.Second)
				got := s.Status(t.Context(), p)
				wantResult(t, "Status", got, tt.status)
				if got.Code != tt.code {
					t.Errorf("Status: code %d, want %d", got.Code, tt.code)
				}
				want := map[payout.OrderID]int{}
				if tt.paid > 0 {
					want[7] = tt.paid
				}
				wantPaid(t, s, want)
			})
		}
	}
}

// Who has given up, and who asks meanwhile, are told the same of one payment.
func TestPaymentThatIsToldTwiceIsMadeOnce(t *testing.T) {
	at := newClock()
	p := pays(7, 1, twiceAccount)
	var s *Simulator
	var meanwhile processor.Outcome
	s, err := Open("", Options{Now: at.now, Sleep: func(ctx context.Context, wait time.Duration) error {
		if ctx.Done() == nil { // the caller's limit is over
			meanwhile = s.Status(t.Context(), p)
		}
		return at.sleep(ctx, wait)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, giveUp := context.WithCancel(t.Context())
	giveUp()
	late := s.Payout(ctx, p)
	wantResult(t, "the late answer", late, processor.ResultUnsent) // nothing is begun for who has given up before
	ctx, giveUp = context.WithCancel(t.Context())
	defer giveUp()
	late = s.Payout(ctx, p)
	wantResult(t, "the late answer", late, processor.ResultApproved)
	if diff := cmp.Diff(late, meanwhile); diff != "" {
		t.Errorf("it was told (-late +meanwhile):\n%s", diff)
	}
	wantPaid(t, s, map[payout.OrderID]int{7: 1})
}

func TestProcessorErrorReadsAsInTheReference(t *testing.T) {
	s := open(t, "", newClock())
	if got := s.Payout(t.Context(), pays(1, 1, breakAccount)); got.Text != "PROCESSOR_INTERNAL_ERROR" {
		t.Errorf("Text is %q", got.Text)
	}
}

func TestApprovalIsTheSameForEver(t *testing.T) {
	s := open(t, "", newClock())
	p := pays(6982864, 1, approveAccount)
	want := processor.Outcome{Result: processor.ResultApproved, TxID: "PNTEST-6982864", RRN: "533913449626", ApprovalCode: "100534"}
	for what, got := range map[string]processor.Outcome{"Payout": s.Payout(t.Context(), p), "Status": s.Status(t.Context(), p)} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	if other := s.Payout(t.Context(), pays(6982864, 2, approveAccount)); other.RRN == want.RRN || other.ApprovalCode == want.ApprovalCode {
		t.Error("another attempt has the same RRN or approval code")
	}
}

func TestAcceptedIsDecidedAtItsTime(t *testing.T) {
	for _, setting := range []string{"", "2s", "1h", "0s"} {
		t.Run("decide_after "+setting, func(t *testing.T) {
			at := newClock()
			s := open(t, "", at)
			p := pays(1, 1, acceptApproveAccount)
			p.Settings = map[string]string{SettingDecideAfter: setting}
			after := 2 * time.Second
			if setting != "" {
				after, _ = time.ParseDuration(setting) // the table's own, all good
			}
			wantResult(t, "Payout", s.Payout(t.Context(), p), processor.ResultAccepted)
			if after > 0 {
				at.advance(after - time.Microsecond)
				wantResult(t, "Status just before", s.Status(t.Context(), p), processor.ResultAccepted)
				wantPaid(t, s, map[payout.OrderID]int{})
				at.advance(time.Microsecond)
			}
			wantResult(t, "Status at the time", s.Status(t.Context(), p), processor.ResultApproved)
			wantPaid(t, s, map[payout.OrderID]int{1: 1})
		})
	}
}

func TestBookDecidesWhatNobodyAskedAbout(t *testing.T) {
	at := newClock()
	s := open(t, "", at)
	s.Payout(t.Context(), pays(1, 1, acceptApproveAccount))
	s.Payout(t.Context(), pays(2, 1, acceptDeclineAccount))
	at.advance(2*time.Second - time.Microsecond)
	wantPaid(t, s, map[payout.OrderID]int{})
	at.advance(time.Microsecond)
	wantPaid(t, s, map[payout.OrderID]int{1: 1})
	entries, err := s.Book(t.Context())
	if err != nil || len(entries) != 4 {
		t.Errorf("the book has %d rows (%v), want 4", len(entries), err)
	}
}

func TestRepeatedPayoutPaysAgain(t *testing.T) {
	at := newClock()
	s := open(t, "", at)
	for range 2 {
		wantResult(t, "Payout", s.Payout(t.Context(), pays(1, 1, approveAccount)), processor.ResultApproved)
		wantResult(t, "Payout", s.Payout(t.Context(), pays(2, 1, acceptApproveAccount)), processor.ResultAccepted)
	}
	at.advance(2 * time.Second)
	wantResult(t, "Status", s.Status(t.Context(), pays(2, 1, acceptApproveAccount)), processor.ResultApproved)
	wantPaid(t, s, map[payout.OrderID]int{1: 2, 2: 2})
}

func TestRefusedReferenceIsNeverPaid(t *testing.T) {
	refusals := map[string]struct {
		refuse func(*Simulator, processor.Payment, *clock) processor.Outcome
		again  processor.Result // what a later Payout is answered
	}{
		"declined": {func(s *Simulator, p processor.Payment, _ *clock) processor.Outcome {
			p.Receiver.AccountNumber = declineAccount
			return s.Payout(t.Context(), p)
		}, processor.ResultDeclined},
		"broken": {func(s *Simulator, p processor.Payment, _ *clock) processor.Outcome {
			p.Receiver.AccountNumber = breakAccount
			return s.Payout(t.Context(), p)
		}, processor.ResultBroken},
		"accepted, then declined, and nobody asked": {func(s *Simulator, p processor.Payment, at *clock) processor.Outcome {
			p.Receiver.AccountNumber = acceptDeclineAccount
			s.Payout(t.Context(), p)
			at.advance(2 * time.Second)
			return processor.Declined(payout.CodeDeclined, "")
		}, processor.ResultDeclined},
		"asked about before it was known": {func(s *Simulator, p processor.Payment, _ *clock) processor.Outcome {
			return s.Status(t.Context(), p)
		}, processor.ResultDeclined},
	}
	for name, tt := range refusals {
		for _, account := range []string{approveAccount, acceptApproveAccount, silentPaidAccount, slowAccount, nextGateAccount} {
			t.Run(name+", then "+account, func(t *testing.T) {
				at := newClock()
				path := filepath.Join(t.TempDir(), "book.db")
				p := pays(1, 1, account)
				refused := tt.refuse(open(t, path, at), p, at)
				s := open(t, path, at) // another node
				wantResult(t, "Payout after it", s.Payout(t.Context(), p), tt.again)
				wantResult(t, "Status after it", s.Status(t.Context(), p), refused.Result)
				at.advance(time.Hour)
				wantPaid(t, s, map[payout.OrderID]int{})
			})
		}
	}
}

func TestEndedContextPaysNothing(t *testing.T) {
	s := open(t, "", newClock())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := pays(1, 1, approveAccount)
	wantResult(t, "Payout", s.Payout(ctx, p), processor.ResultUnsent)
	wantResult(t, "Status", s.Status(ctx, p), processor.ResultLost)
	wantResult(t, "Check", s.Check(ctx, p), processor.ResultUnsent)
	wantPaid(t, s, map[payout.OrderID]int{})
	// The Status that nobody waited for has closed nothing.
	wantResult(t, "Payout", s.Payout(t.Context(), p), processor.ResultApproved)
}

func TestContextThatEndsDuringTheWait(t *testing.T) {
	tests := []struct {
		account, latency string
		want, status     processor.Result
		paid             int
	}{
		{slowAccount, "0s", processor.ResultLost, processor.ResultApproved, 1},
		{approveAccount, "1s", processor.ResultLost, processor.ResultApproved, 1},
		{declineAccount, "1s", processor.ResultLost, processor.ResultDeclined, 0},
		{silentPaidAccount, "0s", processor.ResultLost, processor.ResultApproved, 1},
		{silentUnpaidAccount, "0s", processor.ResultLost, processor.ResultBroken, 0},
		{refuseAccount, "1s", processor.ResultUnsent, processor.ResultBroken, 0},
	}
	for _, tt := range tests {
		t.Run(tt.account+" "+tt.latency, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			sleeps := func(ctx context.Context, _ time.Duration) error {
				cancel()
				return sleep(ctx, time.Hour) // in real time: it ends at once
			}
			s, err := Open("", Options{Now: newClock().now, Sleep: sleeps})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			p := pays(1, 1, tt.account)
			p.Settings = map[string]string{SettingLatency: tt.latency}
			wantResult(t, "Payout", s.Payout(ctx, p), tt.want)
			p.Settings = nil
			wantResult(t, "Status", s.Status(t.Context(), p), tt.status)
			paid, err := s.PaidByOrder(t.Context())
			if err != nil || paid[1] != tt.paid {
				t.Errorf("paid %d times (%v), want %d", paid[1], err, tt.paid)
			}
		})
	}
}

func TestLatencyIsAddedToEveryAnswer(t *testing.T) {
	at := newClock()
	s := open(t, "", at)
	p := pays(1, 1, approveAccount)
	p.Settings = map[string]string{SettingLatency: "150ms"}
	for _, method := range []func(context.Context, processor.Payment) processor.Outcome{s.Check, s.Payout, s.Status} {
		wantResult(t, "answer", method(t.Context(), p), processor.ResultApproved)
		if waited := at.waited(); waited != 150*time.Millisecond {
			t.Errorf("answered after %s", waited)
		}
	}
}

func TestCheckFollowsTheScenarioAndLeavesNoTrace(t *testing.T) {
	at := newClock()
	s := open(t, "", at)
	for _, sc := range Scenarios() {
		want, wait := processor.ResultApproved, time.Duration(0)
		switch sc.Account {
		case checkDeclineAccount:
			want = processor.ResultDeclined
		case checkSlowAccount:
			wait = 3 * time.Second
		}
		got := s.Check(t.Context(), pays(1, 0, sc.Account))
		wantResult(t, "Check of "+sc.Name, got, want)
		if waited := at.waited(); waited != wait {
			t.Errorf("Check of %s: answered after %s, want %s", sc.Name, waited, wait)
		}
		if want == processor.ResultDeclined && got.Code != payout.CodeCheckDeclined {
			t.Errorf("Check of %s: code %d", sc.Name, got.Code)
		}
	}
	if entries, err := s.Book(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("the book has %d rows (%v), want none", len(entries), err)
	}
}

func TestUnreadableSettingPaysNothing(t *testing.T) {
	s := open(t, "", newClock())
	for i, tt := range []struct {
		value    string
		accepted bool
	}{
		{"", true}, {"0s", true}, {"0", true}, {"1.5s", true}, {"24h", true},
		{"24h0m0.000000001s", false}, {"-1ns", false}, {"2", false}, {"two seconds", false}, {" 2s", false},
	} {
		for _, setting := range Settings() {
			p := pays(payout.OrderID(i+1), 1, approveAccount)
			p.Reference += setting.Name
			p.Settings = map[string]string{setting.Name: tt.value}
			payoutWant, statusWant := processor.ResultApproved, processor.ResultApproved
			if !tt.accepted {
				payoutWant, statusWant = processor.ResultUnsent, processor.ResultLost
			}
			got := s.Payout(t.Context(), p)
			wantResult(t, setting.Name+"="+tt.value+": Payout", got, payoutWant)
			wantResult(t, setting.Name+"="+tt.value+": Status", s.Status(t.Context(), p), statusWant)
			wantResult(t, setting.Name+"="+tt.value+": Check", s.Check(t.Context(), p), payoutWant)
			if !tt.accepted && strings.Contains(got.Err.Error(), "two seconds") {
				t.Errorf("the error shows the value: %v", got.Err)
			}
		}
	}
	wantPaid(t, s, map[payout.OrderID]int{1: 3, 2: 3, 3: 3, 4: 3, 5: 3})
}

func TestPaymentWithoutReferenceIsUnsent(t *testing.T) {
	s := open(t, "", newClock())
	p := pays(1, 1, approveAccount)
	p.Reference = ""
	wantResult(t, "Payout", s.Payout(t.Context(), p), processor.ResultUnsent)
	wantResult(t, "Status", s.Status(t.Context(), p), processor.ResultLost)
	wantPaid(t, s, map[payout.OrderID]int{})
}

func TestClosedSimulatorPaysNothing(t *testing.T) {
	s := open(t, "", newClock())
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	wantResult(t, "Payout", s.Payout(t.Context(), pays(1, 1, approveAccount)), processor.ResultUnsent)
	wantResult(t, "Status", s.Status(t.Context(), pays(1, 1, approveAccount)), processor.ResultLost)
}

func TestOpenWantsAClock(t *testing.T) {
	if s, err := Open("", Options{}); err == nil {
		s.Close()
		t.Error("Open without Now succeeds")
	}
}
