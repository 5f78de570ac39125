// Package callback tells a Connecting Party how an order ended: it composes the
// parameters, checks the URL, sends the message and knows the timetable of the
// retries. It remembers nothing; storage does, and the gateway calls.
package callback

import (
	"net/url"
	"strconv"

	"payout"
	"payout/sign"
)

// merchantDataMax is the longest encoded merchantdata that is sent. merchant_data
// may be 64 Ki characters, but usual web servers refuse a request line above 8 KiB
// (nginx, Apache, Tomcat), and an outcome that no receiver can read in 30
// attempts is worse than one without merchantdata; status tells it in full.
const merchantDataMax = 6 << 10 // bytes

// A Message is what one callback tells. Fields that are not known stay at their
// zero value and are not sent, unless their Field is Always.
type Message struct {
	Status        payout.Status
	OrderID       payout.OrderID
	ClientOrderID string
	Type          payout.TransactionType
	Amount        payout.Amount
	ErrorCode     payout.ErrCode // told only if the status is declined or error
	ErrorMessage  string         // likewise
	Descriptor    string         // the gate's
	ProcessorTxID string
	RRN           string
	ApprovalCode  string
	Name          string
	Email         string
	Phone         string
	Charged       bool   // the card is the one that was charged, not the destination
	CardBIN       string // first six digits of the card
	CardLastFour  string
	CardType      string
	Cardholder    string              // name printed on the charged card
	MerchantData  string              // merchant_data as it was asked
	Serial        payout.SerialNumber // of the request that created the order
	ControlKey    payout.Secret       // the Connecting Party's; keys control and is never sent
}

// failed reports whether there is an error to tell. An approved order may keep
// the refusal of an earlier gate of its chain; that is nobody's outcome.
func (m Message) failed() bool {
	return m.Status == payout.StatusDeclined || m.Status == payout.StatusError
}

// A Field is one row of the table of callback parameters.
type Field struct {
	Name   string
	Always bool // sent even if its value is empty; the others are left out
	Doc    payout.Text
	Sample string
	Source string // the section of the reference: AF api-facts, WF wire-facts

	value func(Message) string // empty if not known
}

// Fields is the table of callback parameters in the order of sending. Nobody
// changes it. The names mix '_' and '-' because the reference does (WF 1).
var Fields = []Field{
	{"status", true, payout.T("Outcome of the order: approved, declined or error.", "Исход заказа: approved, declined или error."), "approved", "AF 9, 11",
		func(m Message) string { return string(m.Status) }},
	{"orderid", true, payout.T("The gateway's order id, the paynet-order-id of the reply.", "Номер заказа, присвоенный шлюзом, paynet-order-id из ответа."), "6982864", "AF 9",
		func(m Message) string { return m.OrderID.String() }},
	{"merchant_order", true, payout.T("Connecting Party's order identifier.", "Идентификатор заказа у Присоединяющейся Стороны."), "902B4FF5", "AF 9",
		func(m Message) string { return m.ClientOrderID }},
	{"client_orderid", true, payout.T("The same as merchant_order.", "То же, что merchant_order."), "902B4FF5", "AF 9",
		func(m Message) string { return m.ClientOrderID }},
	{"type", true, payout.T("Transaction type.", "Тип транзакции."), "payout", "AF 9",
		func(m Message) string { return string(m.Type) }},
	{"amount", true, payout.T("Amount in major units with all decimals of the currency.", "Сумма в основных единицах со всеми десятичными знаками валюты."), "10.42", "AF 9, WF 2.11",
		func(m Message) string { return m.Amount.String() }},
	{"currency", false, payout.T("Currency of the amount, ISO 4217.", "Валюта суммы по ISO 4217."), "USD", "ours; the reference names it in status only",
		func(m Message) string { return m.Amount.Currency.Code() }},
	{"error_code", false, payout.T("Error code, if the order was declined or ended in an error.", "Код ошибки, если заказ отклонён или завершился ошибкой."), "1000", "AF 9",
		errorCode},
	{"error_message", true, payout.T("Error text; empty if there is no error.", "Текст ошибки; пусто, если ошибки нет."), "Declined by the processor", "AF 9, WF 1",
		errorMessage},
	{"descriptor", false, payout.T("Descriptor of the gate, if it has one.", "Дескриптор гейта, если он есть."), "PAYOUT TEST", "AF 9, 13",
		func(m Message) string { return m.Descriptor }},
	{"processor-tx-id", false, payout.T("The processor's transaction id, if it gave one.", "Идентификатор транзакции у процессора, если он его сообщил."), "PNTEST-6982864", "AF 9",
		func(m Message) string { return m.ProcessorTxID }},
	{"processor-rrn", false, payout.T("Retrieval reference number, if the processor gave one.", "RRN (номер для поиска транзакции), если процессор его сообщил."), "510458047886", "AF 9",
		func(m Message) string { return m.RRN }},
	{"approval-code", false, payout.T("Approval code, if the processor gave one.", "Код авторизации, если процессор его сообщил."), "242805", "AF 9",
		func(m Message) string { return m.ApprovalCode }},
	{"name", false, payout.T("Name of the Receiver, if it is known.", "Имя Получателя, если известно."), "John Smith", "AF 9",
		func(m Message) string { return m.Name }},
	{"email", false, payout.T("E-mail address of the Receiver, if it is known.", "Адрес электронной почты Получателя, если известен."), "john.smith@gmail.com", "AF 9",
		func(m Message) string { return m.Email }},
	{"phone", false, payout.T("Phone of the Receiver, if it is known.", "Телефон Получателя, если известен."), "+12063582043", "AF 9",
		func(m Message) string { return m.Phone }},
	{"dest-bin", false, payout.T("First six digits of the destination card.", "Первые шесть цифр карты зачисления."), "444455", "AF 9, 13",
		func(m Message) string { return destination(m, m.CardBIN) }},
	{"dest-last-four-digits", false, payout.T("Last four digits of the destination card.", "Последние четыре цифры карты зачисления."), "1111", "AF 9, 13",
		func(m Message) string { return destination(m, m.CardLastFour) }},
	{"dest-card-type", false, payout.T("Scheme of the destination card, if its range is known.", "Платёжная система карты зачисления, если её диапазон известен."), "VISA", "AF 9, 13",
		func(m Message) string { return destination(m, m.CardType) }},
	{"bin", false, payout.T("First six digits of the charged card.", "Первые шесть цифр карты списания."), "444455", "AF 9, WF 1",
		func(m Message) string { return charged(m, m.CardBIN) }},
	{"last-four-digits", false, payout.T("Last four digits of the charged card.", "Последние четыре цифры карты списания."), "1111", "AF 9, WF 1",
		func(m Message) string { return charged(m, m.CardLastFour) }},
	{"card-type", false, payout.T("Scheme of the charged card, if its range is known.", "Платёжная система карты списания, если её диапазон известен."), "VISA", "AF 9, WF 1",
		func(m Message) string { return charged(m, m.CardType) }},
	{"card-holder-name", false, payout.T("Name printed on the charged card.", "Имя, напечатанное на карте списания."), "JOHN SMITH", "AF 9, WF 1",
		func(m Message) string { return charged(m, m.Cardholder) }},
	{"merchantdata", false, payout.T("The request's merchant_data, unchanged (no underscore here); left out if it is longer than 6 KiB in a URL.", "merchant_data из запроса без изменений (здесь имя без подчёркивания); не передаётся, если в URL длиннее 6 КиБ."), "VIP customer", "AF 9",
		merchantData},
	{"serial-number", false, payout.T("Serial number of the request that created the order.", "Серийный номер запроса, которым создан заказ."), "00000000-0000-0000-0000-000002e2c322", "AF 9",
		serialNumber},
	{"control", true, payout.T("SHA-1 in lower-case hex of status, orderid, client_orderid and the control key, joined with nothing between.", "SHA-1 в шестнадцатеричном виде строчными буквами от status, orderid, client_orderid и контрольного ключа, соединённых без разделителей."),
		"652ace404c4dfe8bba069ecee594ec23a89340e1", "AF 2, confirmed by WF 1",
		control},
}

// Params returns the parameters of a callback in the order of Fields.
func Params(m Message) []sign.Pair {
	params := make([]sign.Pair, 0, len(Fields))
	for _, f := range Fields {
		value := f.value(m)
		if value == "" && !f.Always {
			continue
		}
		params = append(params, sign.Pair{Name: f.Name, Value: value})
	}
	return params
}

func errorCode(m Message) string {
	if !m.failed() || m.ErrorCode == 0 {
		return ""
	}
	return strconv.Itoa(int(m.ErrorCode))
}

func errorMessage(m Message) string {
	if !m.failed() {
		return ""
	}
	return m.ErrorMessage
}

func merchantData(m Message) string {
	if len(url.QueryEscape(m.MerchantData)) > merchantDataMax {
		return ""
	}
	return m.MerchantData
}

func serialNumber(m Message) string {
	if m.Serial == 0 {
		return ""
	}
	return m.Serial.String()
}

func control(m Message) string {
	return sign.CallbackControl(string(m.Status), m.OrderID.String(), m.ClientOrderID, m.ControlKey.Reveal())
}

// destination is a value of the card that the money went to.
func destination(m Message, value string) string {
	if m.Charged {
		return ""
	}
	return value
}

// charged is a value of the card that was charged.
func charged(m Message, value string) string {
	if !m.Charged {
		return ""
	}
	return value
}
