package simulator

import (
	"context"

	"payout"
	"payout/processor"
)

var _ processor.Acquirer = (*Simulator)(nil)

// A CardCode says what a charge with one CVV2 meets (AF 15). Any other CVV2 is
// declined.
type CardCode struct {
	Code string
	Doc  payout.Text

	charge reaction
}

var cardCodes = []CardCode{
	{"123", payout.T("Approved.", "Одобряется."), pay},
	{"1234", payout.T("Approved.", "Одобряется."), pay},
	{"101", payout.T("Declined: the card has expired.", "Отклоняется: срок действия карты истёк."), declineFor(payout.CodeIssuerExpired)},
	{"116", payout.T("Declined: insufficient funds.", "Отклоняется: недостаточно средств."), declineFor(payout.CodeInsufficientFunds)},
	{"119", payout.T("Declined: not permitted to cardholder.", "Отклоняется: операция не разрешена держателю карты."), declineFor(payout.CodeNotPermittedToCard)},
	{"209", payout.T("Declined: the card is reported stolen.", "Отклоняется: карта числится украденной."), declineFor(payout.CodeStolenCard)},
	{"217", payout.T("Status unknown: no answer for the gate's silence; then error, because nothing was charged.", "Статус unknown: ответа нет в течение времени silence гейта; затем error, потому что списания не было."), reaction{silent: true}},
}

// CardCodes returns the table of card codes. The documentation prints it.
func CardCodes() []CardCode { return append([]CardCode(nil), cardCodes...) }

func declineFor(code payout.ErrCode) reaction {
	return reaction{enters: StateDeclined, code: code}
}

// Charge does what the CVV2 says. Its entry in the book is like a payment's.
func (s *Simulator) Charge(ctx context.Context, p processor.Payment) processor.Outcome {
	r := decline
	for _, c := range cardCodes {
		if c.Code == p.CardCode.Reveal() {
			r = c.charge
		}
	}
	return s.react(ctx, p, r)
}
