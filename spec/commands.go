package spec

import "payout"

// receiver is the Receiver's data as withdrawal-sbp lists it (3.15); on payout
// the same names are Conditional (AF 3).
var receiver = []*Param{ReceiverFirstName, ReceiverLastName, ReceiverCountryCode, ReceiverState, ReceiverCity,
	ReceiverZipCode, ReceiverAddress1, ReceiverEmail}

// payoutUses is the table of payout and payout-check: the seed's example, the
// readable part of the v4 table and the account parameters of the older one.
var payoutUses = join(
	[]Use{required(ClientOrderID), required(AmountParam), required(CurrencyParam), optional(OrderDesc),
		conditional(IPAddress), conditional(Purpose)},
	all(conditional, AccountNumber, AccountName, RoutingNumber, BankName, BankBranch, BankCode, BankCity,
		BankAddress1, BankZipCode),
	all(optional, BankProvince, BankArea),
	all(conditional, CreditCardNumber, CardPrintedName, ExpireMonth, ExpireYear),
	all(conditional, receiver...),
	[]Use{conditional(ReceiverPhone), optional(MerchantData),
		optional(ServerCallbackURL), // 128 in the seed, 1024 on payout-form: DIVERGENCES.md
		optional(NotifyURL), optional(RedirectURL)},
)

// The commands.
var (
	Payout = &Command{Version: 4, Name: "payout", Auth: OAuthRSA, Group: true, Type: payout.TypePayout,
		Doc:    T("Pays a Receiver's bank account or card.", "Выплата на банковский счёт или карту Получателя."),
		Params: payoutUses,
		// One of the first two is required, but where the gate asks the Receiver: the gateway sees to it.
		Rules:  []Rule{notBoth(AccountNumber, CreditCardNumber), notBoth(ServerCallbackURL, NotifyURL)},
		Repeat: RepeatReplays, Reply: AsyncReply, Shows: []*Param{AccountName, AccountNumber, RoutingNumber}, Reaches: payout.Approved, Source: "3.26"}

	PayoutCheck = &Command{Version: 4, Name: "payout-check", Auth: OAuthRSA, Group: true, Type: payout.TypePayout,
		Doc:    T("Prepares a payout and has the bank confirm it; payout-pay lets the money go.", "Готовит выплату и подтверждает её в банке; деньги отправляет payout-pay."),
		Params: payoutUses, Rules: []Rule{eitherOf(AccountNumber, CreditCardNumber), notBoth(ServerCallbackURL, NotifyURL)},
		Repeat: RepeatReplays, Reply: AsyncReply, Shows: []*Param{AccountName, AccountNumber, RoutingNumber}, Reaches: payout.Held, Source: "AF 5.1"}

	PayoutPay = &Command{Version: 4, Name: "payout-pay", Auth: OAuthRSA, Group: true, Type: payout.TypePayout,
		Doc:    T("Lets the money of a confirmed payout-check go.", "Отправляет деньги подтверждённой payout-check."),
		Params: []Use{required(ClientOrderID), required(OrderNumber), required(Login)},
		Repeat: RepeatReplays, Reply: AsyncReply, After: &After{Command: PayoutCheck, Stage: payout.Held}, Reaches: payout.Approved, Source: "3.39"}

	PayoutForm = &Command{Version: 4, Name: "payout-form", Auth: OAuthRSA, Group: true, Type: payout.TypePayout,
		Doc: T("Pays a Receiver who fills in where to on a page of the gateway.", "Выплата Получателю, который сам указывает реквизиты на странице шлюза."),
		Params: join(
			[]Use{required(ClientOrderID), required(AmountParam), required(CurrencyParam), conditional(OrderDesc),
				conditional(IPAddress), conditional(Purpose)},
			all(optional, prefilled...),
			[]Use{optional(ServerCallbackURL), optional(NotifyURL), optional(RedirectURL), optional(RedirectSuccessURL),
				optional(RedirectFailURL), optional(MerchantData)}),
		Rules:  []Rule{notBoth(ServerCallbackURL, NotifyURL)},
		Repeat: RepeatReplays, Reply: FormReply, Shows: []*Param{OrderDesc, RedirectURL}, Reaches: payout.AtForm, Source: "1.8, AF 4"}

	WithdrawalSBP = &Command{Version: 4, Name: "withdrawal-sbp", Auth: OAuthRSA, Type: payout.TypePayout,
		Doc: T("Pays a Receiver by phone number through SBP.", "Выплата Получателю по номеру телефона через СБП."),
		Params: join(
			[]Use{required(ClientOrderID), required(AmountParam), required(CurrencyParam), required(ReceiverPhone),
				required(BankID), optional(IPAddress), optional(Purpose)},
			all(optional, receiver...),
			[]Use{optional(OrderDesc), optional(ServerCallbackURL), optional(NotifyURL)}),
		Rules:  []Rule{notBoth(ServerCallbackURL, NotifyURL)},
		Repeat: RepeatReplays, Reply: AsyncReply, Reaches: payout.Approved, Source: "3.15"}

	StatusV4 = &Command{Version: 4, Name: "status", Auth: OAuthRSA, Group: true,
		Doc:    T("Tells where an order stands.", "Сообщает состояние заказа."),
		Params: []Use{required(Login), required(ClientOrderID), conditional(OrderNumber), optional(ByRequestSN)},
		Repeat: RepeatReads, Reply: StatusReply, After: &After{Command: Payout}, Shows: []*Param{OrderNumber}, Source: "AF 8"}

	StatusV2 = &Command{Version: 2, Name: "status", Auth: Control, Group: true,
		Doc: T("Tells where an order stands.", "Сообщает состояние заказа."),
		Params: []Use{required(Login), required(ClientOrderID).strict(), conditional(OrderNumber),
			optional(ByRequestSN), required(ControlSum)},
		Sum:    orderSum,
		Repeat: RepeatReads, Reply: StatusReply, After: &After{Command: Payout}, Shows: []*Param{OrderNumber}, Source: "1.1.5"}
)

// Commands lists every command of the API in the order of the documentation.
var Commands = []*Command{Payout, PayoutCheck, PayoutPay, PayoutForm, PayoutByRef, WithdrawalSBP, Sale, Preauth,
	AccountVerification, CreateCardRefV2, CreateCardRefV4, TransferByRef, StatusV4, StatusV2}

// join puts parts of a table together.
func join(parts ...[]Use) []Use {
	var all []Use
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// all gives several parameters the same necessity.
func all(need func(*Param) Use, params ...*Param) []Use {
	uses := make([]Use, len(params))
	for i, p := range params {
		uses[i] = need(p)
	}
	return uses
}
