package gateway_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payout"
	"payout/callback"
	"payout/gateway"
	"payout/processor"
	"payout/sign"
	"payout/spec"
	"payout/storage"
	"payout/vault"
)

var (
	simulateSeeds = flag.Uint64("simulate", 20, "how many seeds TestSimulation runs")
	simulateSeed  = flag.Uint64("seed", 0, "the only seed that TestSimulation runs")
)

// A world is two gateway nodes on one database, a rail and a receiver of
// callbacks, all of which misbehave as one random source says. Nothing in it
// happens by itself: the simulation decides what is next, so a seed replays.
type world struct {
	t     testing.TB
	dice  *rand.Rand
	now   time.Time
	calm  atomic.Bool // nothing misbehaves any more
	files string
	vault *vault.Vault
	nodes [2]*node
	rail  *fakeRail

	receiver *httptest.Server
	mu       sync.Mutex
	seen     map[string]int    // events, by name
	told     map[string]string // last status told by callback, by orderid
	wrong    []string          // callbacks that were not right

	orders []*asked
	cards  map[payout.OrderID]payout.CardNumber // that may be paid or charged for an order
	sent   map[payout.OrderID]string            // the account that the Receiver sent by the form, by order
	refs   []registered
	nonces int
}

// A registered card has a reference.
type registered struct {
	ref  payout.CardRefID
	card payout.CardNumber
}

// simulatedCards are the Receivers' cards.
var simulatedCards = []payout.CardNumber{"4444555566661111", "5555555555554444", "2200000000000004"}

// A node is one gateway process.
type node struct {
	db *storage.DB
	*gateway.Gateway
}

// An asked is an order that was acknowledged.
type asked struct {
	id      payout.OrderID
	command *spec.Command
	form    []sign.Pair
	amount  int64 // minor units
	card    payout.CardNumber
}

func newWorld(t testing.TB, seed uint64, wrap func(processor.Processor) processor.Processor) *world {
	w := &world{t: t, dice: rand.New(&lockedSource{source: rand.NewPCG(seed, 1)}), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		files: filepath.Join(t.TempDir(), "payoutd.db"), seen: make(map[string]int), told: make(map[string]string), cards: make(map[payout.OrderID]payout.CardNumber),
		sent: make(map[payout.OrderID]string)}
	w.rail = &fakeRail{w: w, known: make(map[string]*railPayment), paid: make(map[payout.OrderID]int)}
	var err error
	w.vault, err = vault.New()
	w.check(err)
	w.receiver = httptest.NewServer(http.HandlerFunc(w.receive))
	t.Cleanup(w.receiver.Close)
	for i := range w.nodes {
		w.start(i, wrap)
	}
	t.Cleanup(func() {
		for _, n := range w.nodes {
			w.check(n.db.Close())
		}
	})
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// chance is true with the given probability, and never in a calm world.
func (w *world) chance(p float64) bool { return !w.calm.Load() && w.dice.Float64() < p }

func (w *world) clock() time.Time { return w.now }

// saw counts an event.
func (w *world) saw(event string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[event]++
}

// A lockedSource lets the receiver of callbacks throw the same dice. It is
// called while a node waits for its answer, so the order of throws is fixed.
type lockedSource struct {
	mu     sync.Mutex
	source rand.Source
}

func (s *lockedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Uint64()
}

// start starts node i; the first one makes the set-up.
func (w *world) start(i int, wrap func(processor.Processor) processor.Processor) {
	db, err := storage.Open(w.t.Context(), w.files, w.vault)
	w.check(err)
	migrated, err := db.Migrate(w.t.Context())
	w.check(err)
	if migrated > 0 {
		w.check(db.Transact(w.t.Context(), w.now, setUpWorld))
	}
	policy := callback.Policy{AllowLoopback: true}
	g := &gateway.Gateway{DB: db, Vault: w.vault, Processors: map[string]processor.Processor{"rail": wrap(w.rail)},
		URLs: policy, Callbacks: callback.NewSender(callback.Settings{Policy: policy}), Now: w.clock,
		Random: func() float64 { return w.dice.Float64() }, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	w.check(g.Reload(w.t.Context()))
	w.nodes[i] = &node{db, g}
}

func setUpWorld(tx *storage.Tx) error {
	party, err := tx.AddParty(payout.ConnectingParty{Login: "TestMerchant", Name: "Test", ControlKey: "control key", Enabled: true})
	if err != nil {
		return err
	}
	project, err := tx.AddProject(payout.Project{Name: "Sandbox", Enabled: true})
	if err != nil {
		return err
	}
	var gates []payout.GateID
	for _, name := range []string{"first", "second"} {
		gate, err := tx.AddGate(payout.Gate{Name: name, Processor: "rail", Concurrency: 8, Enabled: true})
		if err != nil {
			return err
		}
		gates = append(gates, gate)
	}
	_, err = tx.AddEndpoint(payout.Endpoint{ID: 39915, PartyID: party, ProjectID: project, Gates: gates, Repeat: payout.RepeatReplay, Enabled: true})
	return err
}

func (w *world) node() *node { return w.nodes[w.dice.IntN(len(w.nodes))] }

// call makes an authenticated call of the only party.
func (w *world) call(n *node, command *spec.Command) *gateway.Call {
	w.nonces++
	serial, err := n.db.NextSerial()
	w.check(err)
	c := &gateway.Call{Command: command, Serial: serial, Party: n.Directory().PartyByLogin("TestMerchant"), EndpointID: 39915, Now: w.now}
	c.UseNonce(strconv.Itoa(w.nonces), w.now, 5*time.Minute)
	return c
}

// ask sends a request that creates an order to one node.
func (w *world) ask(n *node, command *spec.Command, form []sign.Pair) (*payout.Order, error) {
	r, err := command.Parse(form)
	w.check(err)
	return n.Payout(w.t.Context(), w.call(n, command), r)
}

// newOrder sends a new request, sometimes to both nodes at once.
func (w *world) newOrder() {
	minor := 1 + w.dice.Int64N(1_000_000)
	amount := payout.Amount{Minor: minor, Currency: "USD"}
	commands := []*spec.Command{spec.Payout, spec.PayoutCheck, spec.WithdrawalSBP, spec.TransferByRef, spec.PayoutForm}
	if _, ok := w.nodes[0].Processors["rail"].(processor.Acquirer); ok {
		commands = append(commands, spec.Sale)
	}
	if len(w.refs) > 0 {
		commands = append(commands, spec.PayoutByRef, spec.TransferByRef)
	}
	command := commands[w.dice.IntN(len(commands))]
	form := []sign.Pair{{Name: "client_orderid", Value: strconv.Itoa(len(w.orders))}, {Name: "amount", Value: amount.String()}, {Name: "currency", Value: "USD"},
		{Name: "server_callback_url", Value: w.receiver.URL + "/?mine=1"}}
	more, card := w.destination(command)
	form = append(form, more...)
	order, err := w.ask(w.node(), command, form)
	w.check(err)
	w.saw("order")
	w.orders = append(w.orders, &asked{order.ID, command, form, minor, card})
	if card != "" {
		w.cards[order.ID] = card
	}
}

// destination says where the money of a new order goes to, or comes from.
func (w *world) destination(command *spec.Command) ([]sign.Pair, payout.CardNumber) {
	card := simulatedCards[w.dice.IntN(len(simulatedCards))]
	receiver := []sign.Pair{{Name: "order_desc", Value: "x"}, {Name: "receiver_first_name", Value: "John"}, {Name: "receiver_last_name", Value: "Smith"}}
	byRef := command == spec.PayoutByRef || command == spec.TransferByRef && len(w.refs) > 0 && w.chance(0.5)
	switch {
	case byRef:
		known := w.refs[w.dice.IntN(len(w.refs))]
		w.saw("card paid by reference")
		return append(receiver, sign.Pair{Name: "destination-card-ref-id", Value: known.ref.String()}), known.card
	case command == spec.TransferByRef:
		return append(receiver, sign.Pair{Name: "destination-card-no", Value: card.Reveal()}), card
	case command == spec.Sale:
		return []sign.Pair{{Name: "credit_card_number", Value: card.Reveal()}, {Name: "card_printed_name", Value: "JOHN SMITH"}, {Name: "expire_month", Value: "12"},
			{Name: "expire_year", Value: "2099"}, {Name: "cvv2", Value: "123"}, {Name: "control", Value: "checked at the door"}}, card
	case command == spec.PayoutForm:
		return []sign.Pair{{Name: "account_name", Value: "John Q. Public"}}, ""
	case command == spec.WithdrawalSBP:
		return []sign.Pair{{Name: "phone", Value: "89031234567"}, {Name: "bank_id", Value: "100000000111"}}, ""
	case w.chance(0.3):
		return []sign.Pair{{Name: "credit_card_number", Value: card.Reveal()}}, card
	}
	return []sign.Pair{{Name: "account_number", Value: "1234567890"}}, ""
}

// register asks for a reference to the card of some order, whatever its state.
func (w *world) register() {
	if len(w.orders) == 0 {
		return
	}
	o := w.orders[w.dice.IntN(len(w.orders))]
	n := w.node()
	r, err := spec.CreateCardRefV4.Parse([]sign.Pair{o.form[0], {Name: "orderid", Value: o.id.String()}, {Name: "login", Value: "TestMerchant"}})
	w.check(err)
	ref, order, err := n.CreateCardRef(w.t.Context(), w.call(n, spec.CreateCardRefV4), r)
	var refusal *payout.Error
	switch {
	case errors.As(err, &refusal):
		w.saw("card not registered")
	case err != nil:
		w.t.Errorf("create-card-ref: %v", err)
	case o.card == "" || ref.Card != o.card || order.Stage != payout.Approved:
		w.t.Errorf("the card of order %s, %s, was registered as %s at %s", o.id, o.card, ref.Card, order.Stage)
	default:
		w.saw("card registered")
		w.refs = append(w.refs, registered{ref.ID, ref.Card})
	}
}

// repeat sends an acknowledged request again, to both nodes at the same moment.
func (w *world) repeat() {
	if len(w.orders) == 0 {
		return
	}
	o := w.orders[w.dice.IntN(len(w.orders))]
	calls := make([]*gateway.Call, len(w.nodes))
	for i, n := range w.nodes {
		calls[i] = w.call(n, o.command)
	}
	var wait sync.WaitGroup
	for i, n := range w.nodes {
		wait.Go(func() {
			r, err := o.command.Parse(o.form)
			if err != nil {
				w.t.Error(err)
				return
			}
			order, err := n.Payout(w.t.Context(), calls[i], r)
			if err != nil || order.ID != o.id {
				w.t.Errorf("repeated request of order %s: %v, %v", o.id, order, err)
			}
		})
	}
	wait.Wait()
	w.saw("repeated request")
}

// repeatOtherwise sends an acknowledged request with another amount.
func (w *world) repeatOtherwise() {
	if len(w.orders) == 0 {
		return
	}
	o := w.orders[w.dice.IntN(len(w.orders))]
	form := append([]sign.Pair(nil), o.form...)
	form[1].Value = payout.Amount{Minor: o.amount + 1, Currency: "USD"}.String()
	_, err := w.ask(w.node(), o.command, form)
	var refusal *payout.Error
	if !errors.As(err, &refusal) || refusal.Code != payout.CodeOrderExists || refusal.Param != "amount" {
		w.t.Errorf("request repeated with another amount: %v", err)
	}
	w.saw("repeated with another amount")
}

// confirm sends payout-pay for some order, whatever its state.
func (w *world) confirm() {
	if len(w.orders) == 0 {
		return
	}
	o := w.orders[w.dice.IntN(len(w.orders))]
	n := w.node()
	r, err := spec.PayoutPay.Parse([]sign.Pair{o.form[0], {Name: "orderid", Value: o.id.String()}, {Name: "login", Value: "TestMerchant"}})
	w.check(err)
	_, err = n.PayoutPay(w.t.Context(), w.call(n, spec.PayoutPay), r)
	var refusal *payout.Error
	if err != nil && !errors.As(err, &refusal) {
		w.t.Errorf("payout-pay: %v", err)
	}
	if err == nil {
		w.saw("payout-pay")
	} else {
		w.saw("payout-pay refused")
	}
}

// submit sends the form of some order, whatever its state, from two tabs that
// look at it at the same moment and fill in different accounts.
func (w *world) submit() {
	var forms []*asked
	for _, o := range w.orders {
		if o.command == spec.PayoutForm {
			forms = append(forms, o)
		}
	}
	if len(forms) == 0 {
		return
	}
	id := forms[w.dice.IntN(len(forms))].id
	var seen [2]*payout.Order
	for i, n := range w.nodes {
		var err error
		seen[i], err = n.OrderOfForm(w.t.Context(), n.FormToken(id))
		w.check(err)
	}
	if seen[0].Stage == payout.AtForm && w.chance(0.2) {
		// A worker declines the order while the Receiver's clock has a moment left.
		w.now = seen[0].ExpiresAt
		_, err := w.node().WorkDue(w.t.Context())
		w.check(err)
		w.now = w.now.Add(-time.Millisecond)
		w.saw("form expired while it was sent")
	}
	for i, n := range w.nodes {
		account := fmt.Sprintf("%s0000%d", id, i)
		err := n.Submit(w.t.Context(), seen[i], map[string]string{"account_number": account, "account_name": "Jane"}, gateway.Browser{Agent: "test"})
		switch {
		case errors.Is(err, gateway.ErrFormClosed):
			w.saw("form sent again or late")
		case err != nil:
			w.t.Errorf("submit form of order %s: %v", id, err)
		case w.sent[id] != "":
			w.t.Errorf("the form of order %s was taken twice", id)
		default:
			w.sent[id] = account
			w.saw("form sent")
		}
	}
}

// dieAfterClaim claims orders and callbacks and forgets them, as a killed node.
func (w *world) dieAfterClaim() {
	n := w.node()
	for id := range n.Directory().Gates {
		_, err := n.db.ClaimOrders(nil, id, storage.AllDue, w.now, 75*time.Second, 1)
		w.check(err)
	}
	_, err := n.db.ClaimCallbacks(nil, w.now, 45*time.Second, 1, 1, nil)
	w.check(err)
	w.saw("killed after claim")
}

func (w *world) restart() {
	i := w.dice.IntN(len(w.nodes))
	wrap := w.nodes[i].Processors["rail"]
	w.check(w.nodes[i].db.Close())
	w.start(i, func(processor.Processor) processor.Processor { return wrap })
	w.saw("restarted")
}

// jump moves the clock, mostly forwards.
func (w *world) jump() {
	if w.chance(0.1) {
		w.now = w.now.Add(-time.Duration(w.dice.IntN(30)) * time.Second)
		w.saw("clock went back")
		return
	}
	w.now = w.now.Add(time.Duration(w.dice.IntN(100_000)) * time.Millisecond)
}

// run lives through a random life, then lets everything come to rest.
func (w *world) run() {
	steps := []struct {
		weight int
		step   func()
	}{
		{10, w.newOrder}, {3, w.repeat}, {1, w.repeatOtherwise}, {8, w.confirm}, {4, w.submit}, {4, w.register}, {2, w.dieAfterClaim}, {1, w.restart}, {12, w.jump},
		{20, func() { _, err := w.node().WorkDue(w.t.Context()); w.check(err) }},
		{8, func() { _, err := w.node().DeliverDue(w.t.Context()); w.check(err) }},
	}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	for range 120 {
		pick := w.dice.IntN(total)
		for _, s := range steps {
			if pick -= s.weight; pick < 0 {
				s.step()
				break
			}
		}
	}
	w.calm.Store(true)
	w.rest()
}

// rest works until nothing is due any more; the clock jumps from due to due.
func (w *world) rest() {
	for range 10_000 {
		n := w.node()
		_, err := n.WorkDue(w.t.Context())
		w.check(err)
		_, err = n.DeliverDue(w.t.Context())
		w.check(err)
		due, err := n.NextDue(w.t.Context())
		w.check(err)
		if due.IsZero() {
			return
		}
		if due.After(w.now) {
			w.now = due
		}
	}
	w.t.Fatal("the world does not come to rest")
}

// verify checks what must hold when everything is at rest, and returns the
// first thing that does not.
func (w *world) verify() error {
	ctx := context.Background()
	paidSum, approvedSum := int64(0), int64(0)
	for _, o := range w.orders {
		order, err := w.nodes[0].db.Order(ctx, o.id)
		if err != nil {
			return fmt.Errorf("acknowledged order %s: %w", o.id, err)
		}
		paid := w.rail.paid[o.id]
		status := order.Stage.Status()
		switch {
		case paid > 1:
			return fmt.Errorf("order %s was paid %d times", o.id, paid)
		case !order.Stage.Final():
			return fmt.Errorf("order %s rests at %s", o.id, order.Stage)
		case (status == payout.StatusApproved) != (paid == 1):
			return fmt.Errorf("order %s is %s and was paid %d times", o.id, status, paid)
		case w.told[o.id.String()] != string(status):
			return fmt.Errorf("order %s is %s, but its callback told %q", o.id, status, w.told[o.id.String()])
		}
		if status == payout.StatusApproved {
			approvedSum += order.Amount.Minor
		}
		if err := w.verifyHistory(ctx, order); err != nil {
			return err
		}
	}
	for _, p := range w.rail.known {
		if p.state == railPaid {
			paidSum += p.amount.Minor
		}
	}
	if paidSum != approvedSum {
		return fmt.Errorf("the rail paid %d, the books say %d", paidSum, approvedSum)
	}
	if len(w.wrong) > 0 {
		return errors.New(w.wrong[0])
	}
	return nil
}

// verifyHistory checks that the history leads by the table to where the order stands.
func (w *world) verifyHistory(ctx context.Context, order *payout.Order) error {
	history, err := w.nodes[0].db.History(ctx, order.ID)
	if err != nil {
		return err
	}
	stage := payout.Starting
	switch order.Command {
	case spec.PayoutCheck.Path():
		stage = payout.Checking
	case spec.PayoutForm.Path():
		stage = payout.AtForm
		if account := w.sent[order.ID]; order.Params["account_number"] != account || account == "" && order.Stage != payout.Declined {
			return fmt.Errorf("order %s is %s to account %q, the Receiver sent %q", order.ID, order.Stage, order.Params["account_number"], account)
		}
	}
	for _, m := range history {
		to, ok := stage.Next(m.Event)
		if m.From != stage || !ok || m.To != to {
			return fmt.Errorf("order %s: history has %s by %s to %s at stage %s", order.ID, m.From, m.Event, m.To, stage)
		}
		w.saw("event " + string(m.Event))
		if m.To == payout.Declined && order.ErrorCode == payout.CodeCardCodeGone {
			w.saw("card code gone")
		}
		stage = to
	}
	if stage != order.Stage || len(history) != order.Version {
		return fmt.Errorf("order %s stands at %s version %d, its history ends at %s after %d moves", order.ID, order.Stage, order.Version, stage, len(history))
	}
	return nil
}

// receive is the Connecting Party's side of callbacks.
func (w *world) receive(out http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	id, status := q.Get("orderid"), q.Get("status")
	want := sign.CallbackControl(status, id, q.Get("client_orderid"), "control key")
	if q.Get("mine") != "1" || q.Get("control") != want {
		w.note("the callback of order " + id + " is not authentic")
	}
	switch {
	case w.chance(0.2):
		w.saw("callback refused")
		http.Error(out, "no", http.StatusInternalServerError)
		return
	case w.chance(0.1):
		w.saw("callback redirected")
		http.Redirect(out, r, "http://127.0.0.1:1/", http.StatusFound)
		return
	}
	w.mu.Lock()
	before := w.told[id]
	w.told[id] = status
	w.mu.Unlock()
	if before != "" && before != status {
		w.note("order " + id + " was told as " + before + " and as " + status)
	}
	if w.chance(0.1) {
		w.saw("callback received, answer lost")
		panic(http.ErrAbortHandler)
	}
	w.saw("callback answered")
}

// note keeps something that is wrong for verify.
func (w *world) note(wrong string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, wrong)
}

// everyEvent is what the seeds together must have seen.
var everyEvent = []string{"order", "repeated request", "repeated with another amount", "payout-pay", "payout-pay refused",
	"card registered", "card not registered", "card paid by reference", "card charged", "card code gone",
	"form sent", "form sent again or late", "form expired while it was sent", "event submit",
	"killed after claim", "killed before paying", "killed after paying", "killed while asking", "stalled, paid, asked meanwhile",
	"stalled, asked meanwhile, refused", "restarted", "clock went back", "lost, paid", "lost, not paid", "question unanswered",
	"callback refused", "callback redirected", "callback received, answer lost", "callback answered",
	"event confirm", "event pay", "event expire", "event send", "event approve", "event decline", "event decline_chain",
	"event fail", "event accept", "event unsent", "event lose"}

func honest(p processor.Processor) processor.Processor { return p }

// TestSimulation lives through random lives, one per seed: whatever goes
// wrong, at rest no order is paid twice, every order is final and called back,
// approved exactly when the rail paid, and the sums agree.
func TestSimulation(t *testing.T) {
	first, last := uint64(1), *simulateSeeds
	if *simulateSeed != 0 {
		first, last = *simulateSeed, *simulateSeed
	}
	seen := make(map[string]int)
	for seed := first; seed <= last && !t.Failed(); seed++ {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			w := newWorld(t, seed, honest)
			w.run()
			if err := w.verify(); err != nil {
				t.Errorf("%v\nreplay: go test ./gateway -run 'TestSimulation$' -seed %d", err, seed)
			}
			for event, n := range w.seen {
				seen[event] += n
			}
		})
		if seed%100 == 0 {
			t.Logf("%d of %d seeds", seed, last)
		}
	}
	if *simulateSeed != 0 || t.Failed() {
		return
	}
	for _, event := range everyEvent {
		if seen[event] == 0 {
			t.Errorf("no seed has seen: %s", event)
		}
	}
	t.Log(seen)
}

// TestSimulationFindsResendAfterNoAnswer plants the fault that the simulation
// exists for: a connector that calls a lost answer "surely never left".
func TestSimulationFindsResendAfterNoAnswer(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, seed+1, func(p processor.Processor) processor.Processor { return resender{p} })
		w.run()
		if err := w.verify(); err != nil {
			t.Logf("seed %d: %v", seed+1, err)
			return
		}
	}
	t.Error("20 seeds did not find a payment that was sent again after a lost answer")
}

// A resender takes no answer for a refusal.
type resender struct{ processor.Processor }

func (r resender) Payout(ctx context.Context, p processor.Payment) processor.Outcome {
	o := r.Processor.Payout(ctx, p)
	if o.Result == processor.ResultLost {
		return processor.Unsent(o.Err)
	}
	return o
}
