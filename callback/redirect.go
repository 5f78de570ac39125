package callback

import (
	"payout"
	"payout/sign"
)

// RedirectFields is the table of what the Receiver's browser posts to the
// Connecting Party's site at the end, in the order of the reference (AF 10). They
// are sent even if they are empty. Nobody changes it.
var RedirectFields = []Field{
	{"status", true, payout.T("State of the order: approved, declined, error or unknown. Not authoritative: ask by status or wait for the callback.", "Состояние заказа: approved, declined, error или unknown. Полагаться на него нельзя: запросите статус или дождитесь обратного вызова."), "approved", "AF 10",
		func(m Message) string { return string(m.Status) }},
	{"orderid", true, payout.T("The gateway's order id.", "Номер заказа, присвоенный шлюзом."), "6982864", "AF 10",
		func(m Message) string { return m.OrderID.String() }},
	{"merchant_order", true, payout.T("Connecting Party's order identifier.", "Идентификатор заказа у Присоединяющейся Стороны."), "902B4FF5", "AF 10",
		func(m Message) string { return m.ClientOrderID }},
	{"client_orderid", true, payout.T("The same as merchant_order.", "То же, что merchant_order."), "902B4FF5", "AF 10",
		func(m Message) string { return m.ClientOrderID }},
	{"error_message", true, payout.T("Error text; the word null if there is no error.", "Текст ошибки; слово null, если ошибки нет."), "null", "AF 10",
		redirectError},
	{"control", true, payout.T("As in the callback: SHA-1 of status, orderid, client_orderid and the control key.", "Как в обратном вызове: SHA-1 от status, orderid, client_orderid и контрольного ключа."),
		"652ace404c4dfe8bba069ecee594ec23a89340e1", "AF 10", control},
	{"descriptor", true, payout.T("Descriptor of the gate.", "Дескриптор гейта."), "PAYOUT TEST", "AF 10",
		func(m Message) string { return m.Descriptor }},
	{"processor-tx-id", true, payout.T("The processor's transaction id.", "Идентификатор транзакции у процессора."), "PNTEST-1788082", "AF 10",
		func(m Message) string { return m.ProcessorTxID }},
	{"amount", true, payout.T("Amount in major units with all decimals of the currency.", "Сумма в основных единицах со всеми десятичными знаками валюты."), "100.00", "AF 10",
		func(m Message) string { return m.Amount.String() }},
	{"bin", true, payout.T("First six digits of the Receiver's card.", "Первые шесть цифр карты Получателя."), "444455", "AF 10",
		func(m Message) string { return m.CardBIN }},
	{"type", true, payout.T("Transaction type.", "Тип транзакции."), "payout", "AF 10",
		func(m Message) string { return string(m.Type) }},
	{"card-type", true, payout.T("Scheme of the card.", "Платёжная система карты."), "VISA", "AF 10",
		func(m Message) string { return m.CardType }},
	{"phone", true, payout.T("Phone of the Receiver, if the Connecting Party sent it.", "Телефон Получателя, если Присоединяющаяся Сторона его передала."), "+12063582043", "AF 10",
		func(m Message) string { return m.Phone }},
	{"last-four-digits", true, payout.T("Last four digits of the card.", "Последние четыре цифры карты."), "1111", "AF 10",
		func(m Message) string { return m.CardLastFour }},
	{"card-holder-name", true, payout.T("Name printed on the card, if the Connecting Party sent it.", "Имя, напечатанное на карте, если Присоединяющаяся Сторона его передала."), "JOHN SMITH", "AF 10",
		func(m Message) string { return m.Cardholder }},
	{"error_code", true, payout.T("Error code of a declined order.", "Код ошибки отклонённого заказа."), "1000", "AF 10", errorCode},
}

// Redirect returns the parameters of the final redirect in the order of
// RedirectFields.
func Redirect(m Message) []sign.Pair {
	params := make([]sign.Pair, len(RedirectFields))
	for i, f := range RedirectFields {
		params[i] = sign.Pair{Name: f.Name, Value: f.value(m)}
	}
	return params
}

func redirectError(m Message) string {
	if text := errorMessage(m); text != "" {
		return text
	}
	return "null"
}
