package payout

import (
	"fmt"
	"strings"
)

// An ErrCode is the numeric error-code of the wire. Codes are never reused.
// The reference publishes no list (api-facts 12), so the numbers are ours, but
// for 1, which a recorded reply shows (wire-facts 1).
type ErrCode int

// A Kind is the type of an error reply, or KindOutcome for codes that only an
// order's status and callback carry.
type Kind string

// The kinds of error codes.
const (
	KindValidation Kind = "validation-error" // a parameter is wrong; nothing was created
	KindError      Kind = "error"            // the request is understood and refused
	KindOutcome    Kind = "outcome"          // how an order ended
)

// The codes of refused parameters.
const (
	CodeRequired         ErrCode = 1
	CodeTooLong          ErrCode = 2
	CodeTooShort         ErrCode = 3
	CodeFormat           ErrCode = 4
	CodeRepeated         ErrCode = 5
	CodeNotSupported     ErrCode = 6
	CodeAmount           ErrCode = 7
	CodeCurrency         ErrCode = 8
	CodeCurrencyEndpoint ErrCode = 9
	CodeURL              ErrCode = 10
	CodeContradiction    ErrCode = 11
	CodeEncoding         ErrCode = 12
	CodeCardExpired      ErrCode = 13
)

// The codes of refused requests.
const (
	CodeControl          ErrCode = 300
	CodeEndpointUnknown  ErrCode = 301
	CodeEndpointDisabled ErrCode = 302
	CodeOrderUnknown     ErrCode = 303
	CodeOrderNotUnique   ErrCode = 304
	CodeOrderExists      ErrCode = 305
	CodeNotConfirmed     ErrCode = 306
	CodeNotTwoStep       ErrCode = 307
	CodeOrderFinal       ErrCode = 308
	CodeRequestUnknown   ErrCode = 309
	CodeMethod           ErrCode = 310
	CodeContentType      ErrCode = 311
	CodeBodyTooLarge     ErrCode = 312
	CodeCommandUnknown   ErrCode = 313
	CodeCardRefUnknown   ErrCode = 314
	CodeNoCard           ErrCode = 315
	CodeNotApproved      ErrCode = 316
	CodeNoAcquirer       ErrCode = 317
	CodeOrderArchived    ErrCode = 318
	CodeBusy             ErrCode = 398
	CodeInternal         ErrCode = 399
)

// The codes of order outcomes.
const (
	CodeDeclined        ErrCode = 1000
	CodeProcessorError  ErrCode = 1001
	CodeCheckDeclined   ErrCode = 1002
	CodeNotPaidInTime   ErrCode = 1003
	CodeNoGate          ErrCode = 1004
	CodeUnknownToRail   ErrCode = 1005
	CodeInvalidReceiver ErrCode = 1006
	CodeCardCodeGone    ErrCode = 1007
	CodeFormExpired     ErrCode = 1008

	// Declines of issuers; the last three digits are the action codes of ISO 8583:1993.
	CodeIssuerExpired      ErrCode = 1101
	CodeInsufficientFunds  ErrCode = 1116
	CodeNotPermittedToCard ErrCode = 1119
	CodeStolenCard         ErrCode = 1209
)

// A CodeRow is one row of the table of error codes.
type CodeRow struct {
	Code ErrCode
	Kind Kind
	HTTP int // status of the refusal in JSON mode; form mode answers 200 but for Transport
	// Transport marks what is no answer of the command: it keeps its HTTP status in
	// form mode too, so that a client takes it for a failure and not for a refusal.
	Transport bool
	Text      string // what the caller reads; {param} is the parameter's name, {detail} the rule
	Doc       Text   // what to do about it
}

// errCodes states each code once: number, kind, text, documentation.
var errCodes = []CodeRow{
	{CodeRequired, KindValidation, 400, false, "Parameter {param} is required", T("Send the parameter with a value.", "Передайте параметр со значением.")},
	{CodeTooLong, KindValidation, 400, false, "Parameter {param} is too long: {detail}", T("Lengths count characters, not bytes.", "Длина считается в символах, а не в байтах.")},
	{CodeTooShort, KindValidation, 400, false, "Parameter {param} is too short: {detail}", T("Lengths count characters, not bytes.", "Длина считается в символах, а не в байтах.")},
	{CodeFormat, KindValidation, 400, false, "Parameter {param} has a wrong format: {detail}", T("Compare the value with the sample in the command's table.", "Сравните значение с образцом в таблице команды.")},
	{CodeRepeated, KindValidation, 400, false, "Parameter {param} is given more than once", T("Send each parameter once; a parameter may also be given under an alias, but then with the same value.", "Передавайте каждый параметр один раз; под вторым именем его тоже можно передать, но с тем же значением.")},
	{CodeNotSupported, KindValidation, 400, false, "Parameter {param} is not supported: {detail}", T("Leave the parameter out.", "Не передавайте этот параметр.")},
	{CodeAmount, KindValidation, 400, false, "Parameter {param} is not a valid amount: {detail}", T("Major units with '.' as the separator, such as 10.42.", "Основные единицы валюты с разделителем «.», например 10.42.")},
	{CodeCurrency, KindValidation, 400, false, "Parameter {param} is not a currency code: {detail}", T("Three upper-case letters of ISO 4217.", "Три заглавные буквы по ISO 4217.")},
	{CodeCurrencyEndpoint, KindValidation, 400, false, "Parameter {param} is not accepted by this endpoint: {detail}", T("Use an endpoint or group that has the currency.", "Используйте точку входа или группу с этой валютой.")},
	{CodeURL, KindValidation, 400, false, "Parameter {param} is not an acceptable URL: {detail}", T("Callbacks go to public addresses on http 80, 8080 or https 443, 8443.", "Обратные вызовы отправляются на публичные адреса: http на порты 80 и 8080, https на порты 443 и 8443.")},
	{CodeContradiction, KindValidation, 400, false, "Parameter {param} contradicts another parameter: {detail}", T("The same value was sent under two names, or two that exclude each other.", "Переданы разные значения под двумя именами одного параметра или два параметра, исключающие друг друга.")},
	{CodeEncoding, KindValidation, 400, false, "The request body is not a valid form: {detail}", T("application/x-www-form-urlencoded in UTF-8.", "Нужна форма application/x-www-form-urlencoded в UTF-8.")},
	{CodeCardExpired, KindValidation, 400, false, "Parameter {param} is in the past: the card has expired", T("Ask the cardholder for another card.", "Попросите у держателя другую карту.")},

	{CodeControl, KindError, 400, false, "INVALID_CONTROL_CODE", T("Check the order of the values, the control key and the ids; amounts are in minor units.", "Проверьте порядок значений, контрольный ключ и идентификаторы; сумма берётся в минимальных единицах валюты.")},
	{CodeEndpointUnknown, KindError, 404, false, "Endpoint not found", T("The endpoint or endpoint group does not exist or belongs to another party.", "Точка входа или группа точек входа не существует либо принадлежит другой стороне.")},
	{CodeEndpointDisabled, KindError, 409, false, "Endpoint is disabled", T("Ask the operator.", "Обратитесь к оператору шлюза.")},
	{CodeOrderUnknown, KindError, 404, false, "Order not found", T("No order of yours has these ids.", "У вас нет заказа с такими идентификаторами.")},
	{CodeOrderNotUnique, KindError, 409, false, "client_orderid is not unique: send orderid too", T("Several orders have this client_orderid.", "С этим client_orderid есть несколько заказов.")},
	{CodeOrderExists, KindError, 409, false, "An order with this client_orderid exists with another {param}", T("A repeated request must agree in every parameter; use a new client_orderid for a new order.", "Повторный запрос должен совпадать во всех параметрах; для нового заказа нужен новый client_orderid.")},
	{CodeNotConfirmed, KindError, 409, false, "Order is not confirmed yet", T("Poll the status until order-stage is payout_check_validated, then send payout-pay.", "Запрашивайте статус, пока order-stage не станет payout_check_validated, затем отправьте payout-pay.")},
	{CodeNotTwoStep, KindError, 409, false, "Order was not created by payout-check", T("payout-pay only confirms orders of payout-check.", "payout-pay подтверждает только заказы, созданные через payout-check.")},
	{CodeOrderFinal, KindError, 409, false, "Order is already finished", T("The order ended before payout-pay came; its status tells how.", "Заказ завершился до прихода payout-pay; чем именно, скажет его статус.")},
	{CodeRequestUnknown, KindError, 404, false, "by-request-sn does not belong to this order", T("Use the serial-number of the reply that created or paid the order.", "Возьмите serial-number из ответа, которым заказ был создан или оплачен.")},
	{CodeMethod, KindError, 405, true, "Only POST is accepted here", T("Send the request as POST.", "Отправьте запрос методом POST.")},
	{CodeContentType, KindError, 415, true, "Content-Type must be application/x-www-form-urlencoded", T("Send the parameters as a form.", "Передайте параметры в виде формы.")},
	{CodeBodyTooLarge, KindError, 413, true, "The request body is larger than 1 MiB", T("Send less.", "Сократите тело запроса.")},
	{CodeCommandUnknown, KindError, 404, true, "No such command", T("Check the path of the request.", "Проверьте путь запроса.")},
	{CodeCardRefUnknown, KindError, 404, false, "Parameter {param} is not a card reference of yours", T("The reference does not exist, was deleted, or belongs to another party.", "Ссылка не существует, удалена или принадлежит другой стороне.")},
	{CodeNoCard, KindError, 409, false, "The order holds no card", T("Register the card of an order that was paid with or to a card.", "Регистрируйте карту заказа, который оплачен с карты или выплачен на карту.")},
	{CodeNotApproved, KindError, 409, false, "The order is not approved", T("Only the card of an approved order can be registered; poll its status.", "Зарегистрировать можно только карту одобренного заказа; запрашивайте его статус.")},
	{CodeNoAcquirer, KindError, 409, false, "The endpoint cannot charge cards", T("None of its gates leads to an acquirer; ask the operator.", "Ни один из её гейтов не ведёт к эквайеру; обратитесь к оператору шлюза.")},
	{CodeOrderArchived, KindError, 409, false, "The order of this client_orderid ended long ago and is archived", T("It is not known here any more what was asked. Its status tells how it ended; do not pay again before you know that. The operator can look into the archive.", "Что именно запрашивали, здесь уже неизвестно. Чем заказ завершился, скажет его статус; не платите снова, пока не узнаете это. Архив может посмотреть оператор шлюза.")},
	{CodeBusy, KindError, 503, true, "The gateway cannot take the request right now", T("No order was made or changed. Try again after the time that Retry-After names, with a new oauth_nonce.", "Заказ не создан и не изменён. Повторите через время из заголовка Retry-After, с новым oauth_nonce.")},
	{CodeInternal, KindError, 500, true, "Internal error", T("It is not known whether the request was carried out. Ask for the status; repeat the request, with the same client_orderid, only when there is no such order.", "Неизвестно, выполнен ли запрос. Запросите статус; повторяйте запрос с тем же client_orderid, только если такого заказа нет.")},

	{CodeDeclined, KindOutcome, 0, false, "Declined by the processor", T("The rail refused the payout.", "Платёжный канал отказал в выплате.")},
	{CodeProcessorError, KindOutcome, 0, false, "PROCESSOR_INTERNAL_ERROR", T("The rail failed and did not pay.", "В платёжном канале произошёл сбой; выплаты не было.")},
	{CodeCheckDeclined, KindOutcome, 0, false, "Declined at the bank's check", T("The bank did not confirm the payout-check.", "Банк не подтвердил payout-check.")},
	{CodeNotPaidInTime, KindOutcome, 0, false, "Expired: payout-pay did not come in time", T("Start again with payout-check.", "Начните заново с payout-check.")},
	{CodeNoGate, KindOutcome, 0, false, "No gate can pay this order", T("The endpoint's gates were changed while the order was waiting.", "Пока заказ ждал, гейты точки входа изменились.")},
	{CodeUnknownToRail, KindOutcome, 0, false, "The processor has no such payment", T("The rail confirmed that it never paid; a new order may be sent.", "Платёжный канал подтвердил, что выплаты не было; можно отправить новый заказ.")},
	{CodeCardCodeGone, KindOutcome, 0, false, "The card code is no longer known", T("The gateway keeps a CVV2 in memory only, and was restarted, or had to wait for longer than ten minutes, before the card could be charged. Nothing was charged; send a new order.", "Шлюз держит CVV2 только в памяти и до списания с карты был перезапущен или ждал дольше десяти минут. Списания не было; отправьте новый заказ.")},
	{CodeFormExpired, KindOutcome, 0, false, "Expired: the Receiver did not send the form in time", T("Start again with payout-form.", "Начните заново с payout-form.")},
	{CodeIssuerExpired, KindOutcome, 0, false, "Declined: the card has expired", T("The issuer refused the card.", "Эмитент отклонил карту.")},
	{CodeInsufficientFunds, KindOutcome, 0, false, "Declined: insufficient funds", T("The issuer refused the amount.", "Эмитент отклонил сумму.")},
	{CodeNotPermittedToCard, KindOutcome, 0, false, "Declined: transaction not permitted to cardholder", T("The issuer does not allow this use of the card.", "Эмитент не разрешает такую операцию по карте.")},
	{CodeStolenCard, KindOutcome, 0, false, "Declined: the card is reported stolen", T("The issuer asks to keep the card.", "Эмитент просит изъять карту.")},
	{CodeInvalidReceiver, KindOutcome, 0, false, "Declined: receiver not accepted", T("The rail does not know the receiver's account, phone or bank.", "Платёжному каналу неизвестен счёт, телефон или банк Получателя.")},
}

var codeRows = func() map[ErrCode]CodeRow {
	rows := make(map[ErrCode]CodeRow, len(errCodes))
	for _, row := range errCodes {
		rows[row.Code] = row
	}
	return rows
}()

// ErrCodes returns the table of error codes.
func ErrCodes() []CodeRow { return append([]CodeRow(nil), errCodes...) }

// Row returns the code's row; an unknown code reads as CodeInternal.
func (c ErrCode) Row() CodeRow {
	row, ok := codeRows[c]
	if !ok {
		return codeRows[CodeInternal]
	}
	return row
}

// An Error is an error that a client may read. All other errors are answered
// as CodeInternal or CodeBusy and only logged.
type Error struct {
	Code   ErrCode
	Param  string // name of the parameter as the client sent it, or empty
	Detail string // the rule that was broken; never the value
	Err    error  // cause, for the log only
}

// Error is the text for the client: the code's text with the parameter and the rule.
func (e *Error) Error() string {
	text := e.Code.Row().Text
	text = strings.ReplaceAll(text, "{param}", e.Param)
	return strings.ReplaceAll(text, "{detail}", e.Detail)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error about a parameter; the format gives the broken rule.
func Errorf(code ErrCode, param, format string, args ...any) *Error {
	return &Error{Code: code, Param: param, Detail: fmt.Sprintf(format, args...)}
}

// errSamples fills the texts that name a parameter or a rule, for examples.
var errSamples = map[ErrCode]Error{
	CodeRequired:         {Param: "client_orderid"},
	CodeTooLong:          {Param: "client_orderid", Detail: "at most 128 characters"},
	CodeTooShort:         {Param: "ipaddress", Detail: "at least 7 characters"},
	CodeFormat:           {Param: "orderid", Detail: "it must be a number of at most 18 digits"},
	CodeRepeated:         {Param: "amount"},
	CodeNotSupported:     {Param: "amount", Detail: "send it in the body, not in the URL"},
	CodeAmount:           {Param: "amount", Detail: "must have at most 2 decimals in USD"},
	CodeCurrency:         {Param: "currency", Detail: errCurrency.Error()},
	CodeCurrencyEndpoint: {Param: "currency", Detail: "the group has no endpoint for USD"},
	CodeURL:              {Param: "server_callback_url", Detail: "it must start with http:// or https://"},
	CodeContradiction:    {Param: "notify_url", Detail: "send either server_callback_url or notify_url"},
	CodeEncoding:         {Detail: "it ended early"},
	CodeCardExpired:      {Param: "expire_year"},
	CodeOrderExists:      {Param: "amount"},
	CodeCardRefUnknown:   {Param: "destination-card-ref-id"},
}

// Sample returns an error with this code as a client might read it.
func (c ErrCode) Sample() *Error {
	sample := errSamples[c]
	sample.Code = c
	return &sample
}
