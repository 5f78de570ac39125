package payout

// A Stage is where an order stands, finer than what the wire tells. It is
// stored by its name.
type Stage string

// The stages of an order. Sending and Pending are one to the Connecting Party
// and two to us: only in Pending has the rail confirmed that it has the payment.
const (
	AtForm   Stage = "at_form"  // payout-form: waits for what the Receiver fills in
	Checking Stage = "checking" // payout-check: the bank has not confirmed the receiver yet
	Held     Stage = "held"     // payout-check done; waits for payout-pay
	Starting Stage = "starting" // nothing has been sent; may be paid on the current gate
	Sending  Stage = "sending"  // the intent is stored; the rail may already have the payment
	Pending  Stage = "pending"  // the rail has the payment and has not decided
	Doubtful Stage = "doubtful" // no answer: only the rail or a person can tell
	Approved Stage = "approved"
	Declined Stage = "declined"
	Failed   Stage = "failed" // the rail broke and surely did not pay
)

// A Status is the state of an order in the words of the wire (api-facts 11).
type Status string

// The statuses that a Connecting Party may be told.
const (
	StatusProcessing Status = "processing"
	StatusUnknown    Status = "unknown"
	StatusApproved   Status = "approved"
	StatusDeclined   Status = "declined"
	StatusError      Status = "error"
)

// Final reports whether a Connecting Party may stop asking.
func (s Status) Final() bool {
	return s == StatusApproved || s == StatusDeclined || s == StatusError
}

// A StageRow is one row of the table of stages.
type StageRow struct {
	Stage  Stage
	Suffix string // of order-stage, after the transaction type and '_'
	Status Status
	First  bool // a new order may begin here
	Doc    Text
}

// stages gives every stage its words on the wire, in the order of an order's life.
// Source of the suffixes: api-facts 5.1 (check_*) and 11.
var stages = []StageRow{
	{AtForm, "form_processing", StatusProcessing, true, T("The Receiver has not sent the payout form yet.", "Получатель ещё не отправил форму выплаты.")},
	{Checking, "check_validating", StatusProcessing, true, T("The bank has not confirmed the payout yet. Ask again in about 5 seconds.", "Банк ещё не подтвердил выплату. Спросите снова примерно через 5 секунд.")},
	{Held, "check_validated", StatusProcessing, false, T("The bank has confirmed; payout-pay lets the money go.", "Банк подтвердил; деньги отправит payout-pay.")},
	{Starting, "starting", StatusProcessing, true, T("The order is accepted and waits for its rail.", "Заказ принят и ждёт отправки в платёжный канал.")},
	{Sending, "processing", StatusProcessing, false, T("The order is being handed to the rail.", "Заказ передаётся в платёжный канал.")},
	{Pending, "processing", StatusProcessing, false, T("The rail has the payment and has not decided.", "Платёж у платёжного канала, решения ещё нет.")},
	{Doubtful, "unknown", StatusUnknown, false, T("The rail gave no answer. It is being asked; nothing is sent again.", "Платёжный канал не ответил. Шлюз спрашивает его об исходе и ничего не отправляет повторно.")},
	{Approved, "approved", StatusApproved, false, T("The Receiver has been paid.", "Деньги Получателю выплачены.")},
	{Declined, "declined", StatusDeclined, false, T("The payout was refused; no money left.", "В выплате отказано; деньги не ушли.")},
	{Failed, "error", StatusError, false, T("The payout failed on the rail's side; no money left.", "Сбой на стороне платёжного канала; деньги не ушли.")},
}

// Stages returns the table of stages in the order of an order's life.
func Stages() []StageRow { return append([]StageRow(nil), stages...) }

var stageRows = func() map[Stage]StageRow {
	rows := make(map[Stage]StageRow, len(stages))
	for _, row := range stages {
		rows[row.Stage] = row
	}
	return rows
}()

// Status is what the Connecting Party is told of an order at this stage.
// An unknown stage reads as StatusUnknown: it promises nothing.
func (s Stage) Status() Status {
	row, ok := stageRows[s]
	if !ok {
		return StatusUnknown
	}
	return row.Status
}

// Final reports whether the order's life ends here.
func (s Stage) Final() bool { return s.Status().Final() }

// OrderStage is the wire's order-stage, such as payout_check_validated.
func (s Stage) OrderStage(t TransactionType) string {
	row, ok := stageRows[s]
	if !ok {
		return t.stagePrefix() + "_unknown"
	}
	return t.stagePrefix() + "_" + row.Suffix
}

// An Event is something that happened to an order and may move it.
type Event string

// The events of an order's life.
const (
	Submit       Event = "submit"        // the Receiver sent the payout form
	Confirm      Event = "confirm"       // the bank confirmed a payout-check
	Pay          Event = "pay"           // the Connecting Party sent payout-pay
	Expire       Event = "expire"        // payout-pay or the payout form did not come in time
	Send         Event = "send"          // the intent to call the rail is stored
	Approve      Event = "approve"       // the rail paid
	Decline      Event = "decline"       // the rail refused, or no gate is left
	DeclineChain Event = "decline_chain" // the rail refused; the next gate is tried
	Fail         Event = "fail"          // the rail broke and surely did not pay
	Accept       Event = "accept"        // the rail took the payment in, undecided
	Unsent       Event = "unsent"        // the payment surely never left
	Lose         Event = "lose"          // no answer: the rail may or may not have it
	Restore      Event = "restore"       // the database is a restored backup: the order may have been sent since it was made
)

// An EventRow is one row of the table of events.
type EventRow struct {
	Event Event
	Doc   Text
}

// events says of every event what happened, in the order of an order's life.
var events = []EventRow{
	{Submit, T("The Receiver sent the payout form.", "Получатель отправил форму выплаты.")},
	{Confirm, T("The bank confirmed the payout-check.", "Банк подтвердил payout-check.")},
	{Pay, T("The Connecting Party sent payout-pay.", "Присоединяющаяся Сторона отправила payout-pay.")},
	{Expire, T("The form or payout-pay did not come in time.", "Форма или payout-pay не пришли вовремя.")},
	{Send, T("The intent to pay is stored; the rail is called next.", "Намерение заплатить записано; следом вызывается платёжный канал.")},
	{Accept, T("The rail took the payment and has not decided.", "Платёжный канал принял платёж и ещё не решил.")},
	{Approve, T("The rail paid.", "Платёжный канал заплатил.")},
	{Decline, T("The rail refused, or no gate is left.", "Платёжный канал отказал, или гейтов больше нет.")},
	{DeclineChain, T("The rail refused; the next gate is tried.", "Платёжный канал отказал; пробуется следующий гейт.")},
	{Fail, T("The rail broke and surely did not pay.", "Сбой платёжного канала; он точно не заплатил.")},
	{Unsent, T("The payment surely never left; it is tried again.", "Платёж точно не был отправлен; попытка повторяется.")},
	{Lose, T("No answer: the rail may or may not have the payment.", "Ответа нет: платёж мог дойти до платёжного канала, а мог и не дойти.")},
	{Restore, T("The gateway's database is a restored backup: the order may have been paid since it was made, so the rail is asked about it and nothing is sent.",
		"База шлюза восстановлена из резервной копии: после её создания заказ могли оплатить, поэтому платёжный канал спрашивают о нём и ничего не отправляют.")},
}

// Events returns the table of events.
func Events() []EventRow { return append([]EventRow(nil), events...) }

// A Move is one row of the table of moves: at From, the event On leads to To.
type Move struct {
	From Stage
	On   Event
	To   Stage
}

// moves is the whole life of an order. What is not listed cannot happen.
//
// Money leaves at most once: once an order is Sending, the only ways back to
// Starting are Unsent (it surely never left, said by the very call that sent
// it) and DeclineChain (the rail itself refused). Lose is not among them.
//
// After a backup was restored, an order may have been sent without its knowing:
// Restore leads such orders to Starting, where their rail is asked and nothing is
// sent (gateway/restored.go).
var moves = []Move{
	{AtForm, Submit, Starting},
	{AtForm, Decline, Declined},
	{AtForm, Expire, Declined},

	{Checking, Confirm, Held},
	{Checking, Decline, Declined},
	{Checking, Expire, Declined},
	{Held, Pay, Starting},
	{Held, Expire, Declined},

	{AtForm, Restore, Starting},
	{Checking, Restore, Starting},
	{Held, Restore, Starting},

	{Starting, Send, Sending},
	{Starting, Decline, Declined},

	{Sending, Approve, Approved},
	{Sending, Decline, Declined},
	{Sending, DeclineChain, Starting},
	{Sending, Fail, Failed},
	{Sending, Accept, Pending},
	{Sending, Unsent, Starting},
	{Sending, Lose, Doubtful},

	{Pending, Approve, Approved},
	{Pending, Decline, Declined},
	{Pending, DeclineChain, Starting},
	{Pending, Fail, Failed},

	{Doubtful, Approve, Approved},
	{Doubtful, Decline, Declined},
	{Doubtful, DeclineChain, Starting},
	{Doubtful, Fail, Failed},
	{Doubtful, Accept, Pending},
}

// Moves returns the table of moves.
func Moves() []Move { return append([]Move(nil), moves...) }

// Next tells where an event leads from a stage; ok is false when the table has
// no such move, and then the order must stay where it is.
func (s Stage) Next(on Event) (to Stage, ok bool) {
	for _, m := range moves {
		if m.From == s && m.On == on {
			return m.To, true
		}
	}
	return s, false
}
