package simulator

import (
	"strings"
	"time"

	"payout"
	"payout/processor"
)

// A Scenario is what happens to a payout to one card, account number or, when
// neither is given, phone number. Any other number is approved.
type Scenario struct {
	Name    string
	Account string // account_number, matched exactly
	Phone   string // matched without a leading '+', and with a leading 8 read as 7
	Card    string // number of the destination card
	Doc     payout.Text

	payout    []reaction     // by attempt; the last one is for all later attempts
	checkCode payout.ErrCode // 0: the bank confirms a payout-check
	checkWait time.Duration  // before a payout-check is answered
}

// A reaction is what one Payout does: first the deed, then the answer.
type reaction struct {
	refused bool           // the connection is refused; nothing else happens
	enters  State          // into the book; empty: nothing
	will    State          // with StateAccepted: how it is decided
	code    payout.ErrCode // of a refusal
	tryNext bool           // with a refusal: another gate may be asked
	wait    time.Duration  // before the answer
	silent  bool           // the answer never comes
	late    bool           // it comes after the caller has given up and others have asked
}

var (
	pay     = reaction{enters: StatePaid}
	decline = reaction{enters: StateDeclined, code: payout.CodeDeclined}
	refuse  = reaction{refused: true}
)

// scenarios is everything that the simulator does on demand. The first three
// account numbers are the reference's own (3.26, Test Scenario); the others are
// ours, and end in the same two digits as their phone number; cards have them
// before their check digit. 4444555566661111 is what public clients use (AF 15).
var scenarios = []Scenario{
	{Name: "approved", Account: "1234567890", Phone: "79990000000", Card: "4444555566661111",
		Doc:    payout.T("Approved at once.", "Одобряется сразу."),
		payout: []reaction{pay}},
	{Name: "declined", Account: "0987654321", Phone: "79990000001", Card: "4000000000000010",
		Doc:    payout.T("Declined at once.", "Отклоняется сразу."),
		payout: []reaction{decline}},
	{Name: "processor error", Account: "1987654321", Phone: "79990000002", Card: "4000000000000028",
		Doc:    payout.T("Ends in status error with PROCESSOR_INTERNAL_ERROR; nothing is paid.", "Завершается статусом error с PROCESSOR_INTERNAL_ERROR; выплаты нет."),
		payout: []reaction{{enters: StateBroken, code: payout.CodeProcessorError}}},
	{Name: "slow 3 s", Account: "2000000003", Phone: "79990000003", Card: "4000000000000036",
		Doc:    payout.T("Paid at once, approved after 3 seconds. Who does not wait is told the truth by the next question.", "Выплачивается сразу, одобряется через 3 секунды. Кто не дождался, узнает исход следующим вопросом."),
		payout: []reaction{{enters: StatePaid, wait: 3 * time.Second}}},
	{Name: "slow 30 s", Account: "2000000030", Phone: "79990000030", Card: "4000000000000309",
		Doc:    payout.T("Paid at once, approved after 30 seconds. Who does not wait is told the truth by the next question.", "Выплачивается сразу, одобряется через 30 секунд. Кто не дождался, узнает исход следующим вопросом."),
		payout: []reaction{{enters: StatePaid, wait: 30 * time.Second}}},
	{Name: "accepted, then approved", Account: "2000000010", Phone: "79990000010", Card: "4000000000000101",
		Doc:    payout.T("Accepted at once, approved after the gate's decide_after.", "Принимается сразу, одобряется через время decide_after гейта."),
		payout: []reaction{{enters: StateAccepted, will: StatePaid}}},
	{Name: "accepted, then declined", Account: "2000000011", Phone: "79990000011", Card: "4000000000000119",
		Doc:    payout.T("Accepted at once, declined after the gate's decide_after.", "Принимается сразу, отклоняется через время decide_after гейта."),
		payout: []reaction{{enters: StateAccepted, will: StateDeclined, code: payout.CodeDeclined}}},
	{Name: "no answer, paid", Account: "2000000020", Phone: "79990000020", Card: "4000000000000200",
		Doc:    payout.T("Paid, but the answer is lost after the gate's silence: status unknown, approved by the next question.", "Выплачивается, но ответ теряется на время silence гейта: статус unknown, следующий вопрос даёт approved."),
		payout: []reaction{{enters: StatePaid, silent: true}}},
	{Name: "no answer, not paid", Account: "2000000021", Phone: "79990000021", Card: "4000000000000218",
		Doc: payout.T("Not paid, and no answer for the gate's silence: status unknown, then error by the next question, "+
			"because the processor has no such payment.",
			"Выплаты нет, и ответа нет в течение времени silence гейта: статус unknown, следующий вопрос даёт error, "+
				"потому что у процессора нет такого платежа."),
		payout: []reaction{{silent: true}}},
	{Name: "connection refused", Account: "2000000040", Phone: "79990000040", Card: "4000000000000408",
		Doc:    payout.T("The connection is refused on attempts 1 and 2; approved from attempt 3 on.", "В попытках 1 и 2 соединение не принимается; начиная с попытки 3 одобряется."),
		payout: []reaction{refuse, refuse, pay}},
	{Name: "declined, next gate", Account: "2000000050", Phone: "79990000050", Card: "4000000000000507",
		Doc: payout.T("Declined on attempt 1 for a reason that another gate need not share; approved from attempt 2 on. "+
			"So a chain of two gates ends approved, and one gate alone declined.",
			"В попытке 1 отклоняется по причине, которой у другого гейта может не быть; начиная с попытки 2 одобряется. "+
				"Поэтому цепочка из двух гейтов заканчивается одобрением, а единственный гейт отказом."),
		payout: []reaction{{enters: StateDeclined, code: payout.CodeDeclined, tryNext: true}, pay}},
	{Name: "answered twice", Account: "2000000070", Phone: "79990000070", Card: "4000000000000705",
		Doc: payout.T("Paid at once, but answered only when the gateway has given up waiting. By then another node may have asked: "+
			"the same payment is told twice, and counts once.",
			"Выплачивается сразу, но ответ приходит, когда шлюз его уже не ждёт. К этому времени мог спросить другой узел: "+
				"об одной выплате сообщается дважды, а считается она один раз."),
		payout: []reaction{{enters: StatePaid, late: true}}},
	{Name: "payout-check declined", Account: "2000000060", Phone: "79990000060", Card: "4000000000000606",
		Doc:    payout.T("The bank declines the payout-check. A payout without a check is approved.", "Банк отклоняет payout-check. Выплата без проверки одобряется."),
		payout: []reaction{pay}, checkCode: payout.CodeCheckDeclined},
	{Name: "payout-check slow", Account: "2000000063", Phone: "79990000063", Card: "4000000000000630",
		Doc:    payout.T("The bank confirms the payout-check after 3 seconds; the payout is then approved at once.", "Банк подтверждает payout-check через 3 секунды; затем выплата одобряется сразу."),
		payout: []reaction{pay}, checkWait: 3 * time.Second},
}

// Scenarios returns the table of scenarios. The documentation prints it.
func Scenarios() []Scenario { return append([]Scenario(nil), scenarios...) }

// scenarioOf finds the scenario of a Receiver: by card when there is one, else by
// account number, else by phone number. Unknown numbers are approved.
func scenarioOf(r processor.Receiver) Scenario {
	phone := russianPhone(r.Phone)
	for _, sc := range scenarios {
		var found bool
		switch {
		case r.Card != "":
			found = r.Card.Reveal() == sc.Card
		case r.AccountNumber != "":
			found = r.AccountNumber == sc.Account
		default:
			found = phone != "" && phone == sc.Phone
		}
		if found {
			return sc
		}
	}
	return Scenario{Name: "any other number", payout: []reaction{pay}}
}

// reaction is what the attempt, from 1, meets.
func (sc Scenario) reaction(attempt int) reaction {
	last := len(sc.payout)
	return sc.payout[min(max(attempt, 1), last)-1]
}

// russianPhone writes a phone number the international way: 8XXXXXXXXXX is how
// it is dialled inside Russia, for 7XXXXXXXXXX.
func russianPhone(phone string) string {
	phone = strings.TrimPrefix(phone, "+")
	if len(phone) == 11 && phone[0] == '8' {
		return "7" + phone[1:]
	}
	return phone
}
