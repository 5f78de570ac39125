package main

import (
	"context"
	"time"

	"payout"
	"payout/gateway"
	"payout/storage"
)

// A historyView is everything known of an order, without what is sealed.
type historyView struct {
	Order        orderView         `json:"order"`
	Requests     []requestView     `json:"requests"`
	Moves        []moveView        `json:"moves"`
	Transactions []transactionView `json:"transactions"`
	LateOutcomes []lateView        `json:"late_outcomes"`
	Callbacks    []callbackView    `json:"callbacks"`
}

// An orderView is an order as people may see it.
type orderView struct {
	ID            payout.OrderID    `json:"paynet_order_id,string"`
	ClientOrderID string            `json:"client_orderid"`
	Party         string            `json:"party" doc:"login"`
	Endpoint      payout.EndpointID `json:"endpoint,string"`
	Group         payout.GroupID    `json:"group,omitempty,string"`
	Command       string            `json:"command"`
	Amount        string            `json:"amount"`
	Currency      string            `json:"currency"`
	Receiver      string            `json:"receiver" doc:"masked"`
	Stage         payout.Stage      `json:"stage"`
	Status        payout.Status     `json:"status"`
	OrderStage    string            `json:"order_stage"`
	ErrorCode     payout.ErrCode    `json:"error_code,omitempty"`
	ErrorMessage  string            `json:"error_message,omitempty"`
	CreatedAt     time.Time         `json:"created_at"`
	FinalAt       time.Time         `json:"final_at,omitzero"`
	Archive       string            `json:"archive,omitempty" doc:"the file that has the rest, when the order is archived"`
}

// A requestView is a request that belongs to an order.
type requestView struct {
	Serial        string    `json:"serial_number"`
	Command       string    `json:"command"`
	RemoteAddress string    `json:"remote_address"`
	Note          string    `json:"note,omitempty"`
	At            time.Time `json:"at"`
}

// A moveView is a move from stage to stage.
type moveView struct {
	From   payout.Stage `json:"from"`
	To     payout.Stage `json:"to"`
	Event  payout.Event `json:"event"`
	Serial string       `json:"serial_number,omitempty" doc:"of the request that caused it"`
	Note   string       `json:"note,omitempty"`
	At     time.Time    `json:"at"`
}

// A transactionView is an attempt to pay on a gate.
type transactionView struct {
	Attempt       int            `json:"attempt"`
	Gate          payout.GateID  `json:"gate,string"`
	Reference     string         `json:"reference"`
	Stage         payout.Stage   `json:"stage"`
	ProcessorTxID string         `json:"processor_tx_id,omitempty"`
	RRN           string         `json:"rrn,omitempty"`
	ApprovalCode  string         `json:"approval_code,omitempty"`
	ErrorCode     payout.ErrCode `json:"error_code,omitempty"`
	ErrorMessage  string         `json:"error_message,omitempty"`
	StartedAt     time.Time      `json:"started_at"`
	EndedAt       time.Time      `json:"ended_at,omitzero"`
}

// A callbackView is a callback with its attempts, without its URL.
type callbackView struct {
	Receiver string               `json:"receiver" doc:"host and port"`
	State    payout.CallbackState `json:"state" doc:"due, delivered or given_up"`
	DueAt    time.Time            `json:"due_at,omitzero"`
	Attempts []attemptView        `json:"attempts"`
	Again    []againView          `json:"asked_again,omitempty"`
}

// An againView is one time that somebody of the party asked for a callback to be
// sent again.
type againView struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// An attemptView is one try to deliver a callback.
type attemptView struct {
	Attempt    int       `json:"attempt"`
	HTTPStatus int       `json:"http_status,omitempty"`
	Error      string    `json:"error,omitempty"`
	Seconds    float64   `json:"seconds" doc:"how long it took"`
	At         time.Time `json:"at"`
}

func viewOf(o *payout.Order, d *storage.Directory) orderView {
	v := orderView{ID: o.ID, ClientOrderID: o.ClientOrderID, Endpoint: o.EndpointID, Group: o.GroupID, Command: o.Command,
		Amount: o.Amount.String(), Currency: o.Amount.Currency.Code(), Receiver: o.ReceiverMask, Stage: o.Stage,
		Status: o.Stage.Status(), OrderStage: o.Stage.OrderStage(o.Type), ErrorCode: o.ErrorCode, ErrorMessage: o.ErrorMessage,
		CreatedAt: o.CreatedAt, FinalAt: o.FinalAt}
	if p := d.Parties[o.PartyID]; p != nil {
		v.Party = p.Login
	}
	if o.Archived {
		v.Archive = gateway.ArchiveName(o.CreatedAt)
	}
	return v
}

// A lateView is what a rail told after the order had been moved.
type lateView struct {
	Attempt      int            `json:"attempt"`
	Gate         payout.GateID  `json:"gate"`
	SeenStage    payout.Stage   `json:"seen_stage" doc:"of the order when the rail was called"`
	Result       string         `json:"result"`
	ProcessorTx  string         `json:"processor_tx_id,omitempty"`
	RRN          string         `json:"rrn,omitempty"`
	ErrorCode    payout.ErrCode `json:"error_code,omitempty"`
	ErrorMessage string         `json:"error_message,omitempty"`
	At           time.Time      `json:"at"`
}

// historyOf reads the whole history of an order.
func historyOf(ctx context.Context, db *storage.DB, id payout.OrderID) (h historyView, err error) {
	o, err := db.Order(ctx, id)
	if err != nil {
		return h, err
	}
	d, err := db.Directory(ctx)
	if err != nil {
		return h, err
	}
	requests, err := db.Requests(ctx, id)
	if err != nil {
		return h, err
	}
	moves, err := db.History(ctx, id)
	if err != nil {
		return h, err
	}
	transactions, err := db.Transactions(ctx, id)
	if err != nil {
		return h, err
	}
	late, err := db.LateOutcomes(ctx, id)
	if err != nil {
		return h, err
	}
	callbacks, attempts, err := db.Callbacks(ctx, id)
	if err != nil {
		return h, err
	}
	again, err := db.Resends(ctx, id)
	if err != nil {
		return h, err
	}
	return historyView{viewOf(o, d), requestViews(requests), moveViews(moves), transactionViews(transactions), lateViews(late), callbackViews(callbacks, attempts, again)}, nil
}

func lateViews(late []payout.LateOutcome) []lateView {
	views := []lateView{}
	for _, l := range late {
		views = append(views, lateView{l.Attempt, l.GateID, l.SeenStage, l.Result, l.ProcessorTxID, l.RRN, l.ErrorCode, l.ErrorMessage, l.At})
	}
	return views
}

func requestViews(requests []payout.Request) []requestView {
	views := []requestView{}
	for _, r := range requests {
		views = append(views, requestView{r.Serial.String(), r.Command, r.RemoteAddress, r.Note, r.At})
	}
	return views
}

func moveViews(moves []payout.Moved) []moveView {
	views := []moveView{}
	for _, m := range moves {
		v := moveView{From: m.From, To: m.To, Event: m.Event, Note: m.Note, At: m.At}
		if m.Serial != 0 {
			v.Serial = m.Serial.String()
		}
		views = append(views, v)
	}
	return views
}

func transactionViews(transactions []payout.Transaction) []transactionView {
	views := []transactionView{}
	for _, x := range transactions {
		views = append(views, transactionView{x.Attempt, x.GateID, x.Reference, x.Stage, x.ProcessorTxID, x.RRN, x.ApprovalCode,
			x.ErrorCode, x.ErrorMessage, x.StartedAt, x.EndedAt})
	}
	return views
}

func callbackViews(callbacks []payout.Callback, attempts []payout.CallbackAttempt, again []payout.Resend) []callbackView {
	views := []callbackView{}
	for _, c := range callbacks {
		v := callbackView{Receiver: c.Receiver, State: c.State, DueAt: c.DueAt, Attempts: []attemptView{}}
		for _, a := range attempts {
			if a.CallbackID == c.ID {
				v.Attempts = append(v.Attempts, attemptView{a.Attempt, a.HTTPStatus, a.Error, a.Duration.Seconds(), a.At})
			}
		}
		for _, r := range again {
			if r.CallbackID == c.ID {
				v.Again = append(v.Again, againView{r.By, r.At})
			}
		}
		views = append(views, v)
	}
	return views
}

// print prints the history for people.
func (h historyView) print(t terminal, zone *time.Location) {
	at := func(when time.Time) string {
		if when.IsZero() {
			return "-"
		}
		return when.In(zone).Format("2006-01-02 15:04:05.000 MST")
	}
	o := h.Order
	t.printf("order %s  %s  %s %s to %s\n", o.ID, o.OrderStage, o.Amount, o.Currency, o.Receiver)
	t.printf("  party %s  endpoint %s  client_orderid %q  %s\n", o.Party, o.Endpoint, o.ClientOrderID, o.Command)
	t.printf("  status %s  created %s  final %s\n", o.Status, at(o.CreatedAt), at(o.FinalAt))
	if o.ErrorCode != 0 {
		t.printf("  error %d: %s\n", o.ErrorCode, o.ErrorMessage)
	}
	if o.Archive != "" {
		t.printf("  archived: what it was and how it went is in %s (payoutd archive)\n", o.Archive)
	}
	t.printf("\nrequests\n")
	for _, r := range h.Requests {
		t.printf("  %s  %s  %s  from %s%s\n", at(r.At), r.Serial, r.Command, r.RemoteAddress, noted(r.Note))
	}
	t.printf("\nmoves\n")
	for _, m := range h.Moves {
		t.printf("  %s  %-9s -> %-9s  by %s", at(m.At), m.From, m.To, m.Event)
		if m.Serial != "" {
			t.printf("  request %s", m.Serial)
		}
		t.printf("%s\n", noted(m.Note))
	}
	t.printf("\ntransactions\n")
	for _, x := range h.Transactions {
		t.printf("  %s  attempt %d on gate %d  reference %s  %s", at(x.StartedAt), x.Attempt, x.Gate, x.Reference, x.Stage)
		for _, part := range [][2]string{{"tx", x.ProcessorTxID}, {"rrn", x.RRN}, {"approval", x.ApprovalCode}, {"error", x.ErrorMessage}} {
			if part[1] != "" {
				t.printf("  %s %s", part[0], part[1])
			}
		}
		t.printf("  ended %s\n", at(x.EndedAt))
	}
	if len(h.LateOutcomes) > 0 {
		t.printf("\nlate outcomes: told by the rail after the order had been moved\n")
	}
	for _, l := range h.LateOutcomes {
		t.printf("  %s  attempt %d on gate %d  seen at %s  %s  tx %s  %s\n", at(l.At), l.Attempt, l.Gate, l.SeenStage, l.Result, l.ProcessorTx, l.ErrorMessage)
	}
	t.printf("\ncallbacks\n")
	for _, c := range h.Callbacks {
		t.printf("  to %s  %s  attempts %d  next %s\n", c.Receiver, c.State, len(c.Attempts), at(c.DueAt))
		for _, a := range c.Attempts {
			t.printf("    %s  attempt %d  HTTP %d  %gs  %s\n", at(a.At), a.Attempt, a.HTTPStatus, a.Seconds, a.Error)
		}
		for _, again := range c.Again {
			t.printf("    %s  asked for again by %s\n", at(again.At), again.By)
		}
	}
}

// noted is a note behind what it is about.
func noted(note string) string {
	if note == "" {
		return ""
	}
	return "  (" + note + ")"
}
