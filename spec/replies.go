package spec

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A Field is one field of a reply.
type Field struct {
	Name      string
	Number    bool // a JSON number in JSON mode; all others are strings (AF 0)
	Sensitive bool // masked where people other than the client read a reply
	Doc       Text
	Sample    string // empty: not in examples
}

// A ReplySpec lists the fields that a reply may have, in the order of the wire
// (wire-facts 2.3).
type ReplySpec struct {
	Type   string // the value of type when the request succeeds
	Fields []*Field
	Always []*Field // those that every reply of the type has
	Shows  []*Field // what an example has; nil: every field with a sample
}

// The fields of replies. Sources: 3.26, 1.1.5; order by recorded replies.
var (
	FieldType            = &Field{Name: "type", Doc: T("Type of the reply.", "Тип ответа.")}
	FieldSerial          = &Field{Name: "serial-number", Doc: T("Unique number of this request.", "Уникальный номер этого запроса."), Sample: "00000000-0000-0000-0000-000002e2c322"}
	FieldMerchantOrder   = &Field{Name: "merchant-order-id", Doc: T("Connecting Party's order identifier.", "Номер заказа в системе Присоединяющейся Стороны."), Sample: "902B4FF5"}
	FieldProcessorTxID   = &Field{Name: "processor-tx-id", Doc: T("The processor's transaction identifier.", "Идентификатор транзакции у процессора."), Sample: "PNTEST-6982864"}
	FieldPaynetOrder     = &Field{Name: "paynet-order-id", Doc: T("Order id assigned by the gateway.", "Номер заказа в шлюзе."), Sample: "6982864"}
	FieldStatus          = &Field{Name: "status", Doc: T("approved, declined, error, processing or unknown.", "approved, declined, error, processing или unknown."), Sample: "approved"}
	FieldAmount          = &Field{Name: "amount", Doc: T("Actual amount.", "Фактическая сумма."), Sample: "10.42"}
	FieldCurrency        = &Field{Name: "currency", Doc: T("Actual currency.", "Фактическая валюта."), Sample: "USD"}
	FieldDescriptor      = &Field{Name: "descriptor", Doc: T("The gate's descriptor, when it has one.", "Дескриптор гейта, если он задан."), Sample: "payoutd sandbox"}
	FieldOrigDescriptor  = &Field{Name: "original-gate-descriptor", Doc: T("Descriptor set on the gate.", "Дескриптор, заданный на гейте."), Sample: "payoutd sandbox"}
	FieldTransactionType = &Field{Name: "transaction-type", Doc: T("Type of the transaction.", "Тип транзакции."), Sample: "payout"}
	FieldReceipt         = &Field{Name: "receipt-id", Doc: T("Identifier of the receipt.", "Идентификатор квитанции."), Sample: "18042926-d652-331c-b5a0-3e1dbacf69b2"}
	FieldEmail           = &Field{Name: "email", Sensitive: true, Doc: T("Receiver's e-mail address.", "Электронная почта Получателя."), Sample: "john.smith@example.com"}
	FieldLastName        = &Field{Name: "last-name", Sensitive: true, Doc: T("Receiver's last name.", "Фамилия Получателя."), Sample: "Smith"}
	FieldFirstName       = &Field{Name: "first-name", Sensitive: true, Doc: T("Receiver's first name.", "Имя Получателя."), Sample: "John"}
	FieldRRN             = &Field{Name: "processor-rrn", Doc: T("Retrieval reference number of the bank.", "Номер ссылки RRN банка."), Sample: "187722741"}
	FieldApprovalCode    = &Field{Name: "approval-code", Doc: T("The bank's approval code.", "Код подтверждения банка."), Sample: "610669"}
	FieldOrderStage      = &Field{Name: "order-stage", Doc: T("Stage of the order.", "Стадия заказа."), Sample: "payout_approved"}
	FieldPhone           = &Field{Name: "phone", Sensitive: true, Doc: T("Receiver's phone number.", "Телефон Получателя."), Sample: "+79633014273"}
	FieldPurpose         = &Field{Name: "purpose", Sensitive: true, Doc: T("Purpose of the payout.", "Назначение выплаты."), Sample: "+7123456789"}
	FieldProcessingDate  = &Field{Name: "paynet-processing-date", Doc: T("When the processor answered.", "Когда ответил процессор."), Sample: "2026-11-21 12:46:27 UTC"}
	FieldByRequestSN     = &Field{Name: "by-request-sn", Doc: T("The serial number that was asked for.", "Запрошенный серийный номер."), Sample: "00000000-0000-0000-0000-000002e2c321"}
	FieldInitialAmount   = &Field{Name: "initial-amount", Doc: T("Amount of the initiating request.", "Сумма исходного запроса."), Sample: "10.42"}
	FieldMerchantData    = &Field{Name: "merchantdata", Doc: T("Echo of merchant_data.", "Возвращённое значение merchant_data."), Sample: "VIP customer"}
	FieldTransactionDate = &Field{Name: "transaction-date", Doc: T("When the order became final.", "Когда заказ завершился."), Sample: "2026-11-21 12:46:28 UTC"}
	FieldEndpoint        = &Field{Name: "end-point-id", Doc: T("The endpoint that was used.", "Использованная точка входа."), Sample: "39915"}
	FieldCardRef         = &Field{Name: "card-ref-id", Doc: T("Reference to the registered card.", "Ссылка на зарегистрированную карту."), Sample: "1000000000000000000"}
	FieldUniqueCard      = &Field{Name: "unq-card-ref-id", Doc: T("The same for the same card, whatever the reference.", "Одинаков для одной и той же карты, независимо от ссылки."), Sample: "1000000000000000001"}
	FieldDestBIN         = &Field{Name: "dest-bin", Doc: T("First six digits of the destination card.", "Первые шесть цифр карты получателя."), Sample: "444455"}
	FieldDestLastFour    = &Field{Name: "dest-last-four-digits", Doc: T("Last four digits of the destination card.", "Последние четыре цифры карты получателя."), Sample: "1111"}
	FieldDestCardType    = &Field{Name: "dest-card-type", Doc: T("Scheme of the destination card.", "Платёжная система карты получателя."), Sample: "VISA"}
	FieldDestCardHash    = &Field{Name: "destination-card-hash-id", Doc: T("The same for the same destination card.", "Одинаков для одной и той же карты получателя."), Sample: "1664889"}
	FieldCardholder      = &Field{Name: "cardholder-name", Sensitive: true, Doc: T("Name printed on the charged card.", "Имя, напечатанное на карте."), Sample: "JOHN SMITH"}
	FieldExpireMonth     = &Field{Name: "card-exp-month", Sensitive: true, Doc: T("Month in which the charged card expires.", "Месяц окончания срока действия карты."), Sample: "12"}
	FieldExpireYear      = &Field{Name: "card-exp-year", Sensitive: true, Doc: T("Year in which the charged card expires.", "Год окончания срока действия карты."), Sample: "2030"}
	FieldLastFour        = &Field{Name: "last-four-digits", Doc: T("Last four digits of the charged card.", "Последние четыре цифры карты."), Sample: "1111"}
	FieldBIN             = &Field{Name: "bin", Doc: T("First six digits of the charged card.", "Первые шесть цифр карты."), Sample: "444455"}
	FieldCardType        = &Field{Name: "card-type", Doc: T("Scheme of the charged card.", "Платёжная система карты."), Sample: "VISA"}
	FieldCardHash        = &Field{Name: "card-hash-id", Doc: T("The same for the same charged card.", "Одинаков для одной и той же карты."), Sample: "3902982"}
	FieldRedirectURL     = &Field{Name: "redirect-url", Sensitive: true, Doc: T("Address of the payout form: send the Receiver's browser there.", "Адрес формы выплаты: направьте туда браузер Получателя."), Sample: "https://gate.example.com/paynet/form/8tVWXi0uJYAVCIS4Ts3vEA"}
	FieldRedirectTo      = &Field{Name: "redirect-to", Sensitive: true, Doc: T("Address of the form, while the order waits for the Receiver.", "Адрес формы, пока заказ ждёт Получателя."), Sample: "https://gate.example.com/paynet/form/8tVWXi0uJYAVCIS4Ts3vEA"}
	FieldECI             = &Field{Name: "eci", Doc: T("Electronic commerce indicator of the charge.", "Индикатор электронной коммерции (ECI)."), Sample: "05"}
	FieldMotivational    = &Field{Name: "motivational-message", Doc: T("More about the reason of a decline.", "Подробности о причине отказа."), Sample: "Please use another card."}
	FieldErrorMessage    = &Field{Name: "error-message", Doc: T("Reason of a refusal or decline.", "Причина отказа."), Sample: "Parameter client_orderid is required"}
	FieldErrorCode       = &Field{Name: "error-code", Number: true, Doc: T("Code of a refusal or decline.", "Код отказа."), Sample: "1"}
)

// The replies.
var (
	AsyncReply = &ReplySpec{Type: "async-response",
		Fields: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldEndpoint},
		Always: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldEndpoint}}

	// FormReply has the names of AF 4.
	FormReply = &ReplySpec{Type: "async-form-response",
		Fields: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldRedirectURL, FieldEndpoint},
		Always: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldRedirectURL, FieldEndpoint}}

	StatusReply = &ReplySpec{Type: "status-response",
		Fields: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldProcessorTxID, FieldPaynetOrder, FieldStatus,
			FieldAmount, FieldCurrency, FieldDescriptor, FieldOrigDescriptor, FieldRedirectTo, FieldTransactionType, FieldReceipt,
			FieldCardholder, FieldExpireMonth, FieldExpireYear, FieldEmail, FieldLastName, FieldFirstName, FieldRRN, FieldApprovalCode, FieldOrderStage,
			FieldLastFour, FieldBIN, FieldCardType, FieldPhone,
			FieldPurpose, FieldDestBIN, FieldDestLastFour, FieldDestCardType, FieldProcessingDate, FieldByRequestSN,
			FieldCardHash, FieldDestCardHash, FieldECI, FieldInitialAmount, FieldMotivational, FieldMerchantData,
			FieldTransactionDate, FieldErrorMessage, FieldErrorCode},
		Always: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldStatus, FieldAmount, FieldCurrency, FieldTransactionType,
			FieldOrderStage, FieldInitialAmount},
		Shows: []*Field{FieldSerial, FieldMerchantOrder, FieldProcessorTxID, FieldPaynetOrder, FieldStatus, FieldAmount, FieldCurrency,
			FieldDescriptor, FieldOrigDescriptor, FieldTransactionType, FieldReceipt, FieldRRN, FieldApprovalCode, FieldOrderStage,
			FieldProcessingDate, FieldInitialAmount, FieldTransactionDate}}

	// CardRefReply has the order of the table in 1.1.5.
	CardRefReply = &ReplySpec{Type: "create-card-ref-response",
		Fields: []*Field{FieldType, FieldSerial, FieldStatus, FieldCardRef, FieldUniqueCard, FieldEndpoint},
		Always: []*Field{FieldType, FieldSerial, FieldStatus, FieldCardRef, FieldUniqueCard, FieldEndpoint}}

	// ErrorReply answers refusals; Type is the code's kind.
	ErrorReply = &ReplySpec{
		Fields: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldErrorMessage, FieldErrorCode},
		Always: []*Field{FieldType, FieldSerial, FieldErrorMessage, FieldErrorCode}}
)

// AccessDenied is the reference's page for requests that are not authentic
// (seed 3.26). It is the same for every reason.
const AccessDenied = `<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="Content-Type" content="text/html; charset=utf-8"/>
  <title>403</title>

<style type="text/css">
body {
font-family: Arial, sans-serif;
font-size: 130%;
background-color: #eee;
}

p {
margin: 10em auto 0;
width: 500px;
border: 1px solid gray;
text-align: center;
vertical-align: middle;
padding: 40px 20px;
background-color: #fff;
-webkit-border-radius: 20px;
-moz-border-radius: 20px;
border-radius: 20px;
}
</style>
</head>

<body>
<p>Access is denied</p>
</body>
</html>
`

// A Reply is the answer to one request. Empty fields are left out.
type Reply struct {
	Spec     *ReplySpec
	values   []string // of the spec's fields
	unlisted int      // fields that were set and are not the spec's
}

// New starts a reply with its type set.
func (s *ReplySpec) New() *Reply {
	r := &Reply{Spec: s, values: make([]string, len(s.Fields))}
	return r.Set(FieldType, s.Type)
}

// Set gives a field its value.
func (r *Reply) Set(f *Field, value string) *Reply {
	if i := slices.Index(r.Spec.Fields, f); i >= 0 {
		r.values[i] = value
	} else {
		r.unlisted++
	}
	return r
}

// Get returns a field's value.
func (r *Reply) Get(f *Field) string {
	if i := slices.Index(r.Spec.Fields, f); i >= 0 {
		return r.values[i]
	}
	return ""
}

// listed refuses a reply with a field that its table does not have, so that the
// documentation cannot lag behind.
func (r *Reply) listed() error {
	if r.unlisted > 0 {
		return fmt.Errorf("reply %q has %d fields that its table does not list", r.Get(FieldType), r.unlisted)
	}
	return nil
}

// Form writes the reply for the default encoding: name=value LF & name=value LF,
// with a LF after the last one too (wire-facts 2.1).
func (r *Reply) Form() ([]byte, error) {
	if err := r.listed(); err != nil {
		return nil, err
	}
	b := make([]byte, 0, 512)
	for i, f := range r.Spec.Fields {
		value := r.values[i]
		if value == "" {
			continue
		}
		if len(b) > 0 {
			b = append(b, '&')
		}
		b = append(b, f.Name...)
		b = append(b, '=')
		b = append(b, url.QueryEscape(value)...)
		b = append(b, '\n')
	}
	return b, nil
}

// JSON writes the reply for Accept: application/vnd.pay+json: the same names,
// values as strings but for error-code (AF 0).
func (r *Reply) JSON() ([]byte, error) {
	if err := r.listed(); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range r.Spec.Fields {
		value := r.values[i]
		if value == "" {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", f.Name)
		if f.Number {
			b.WriteString(value)
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("encode field %s: %w", f.Name, err)
		}
		b.Write(text)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}
