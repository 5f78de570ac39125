package spec

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// A Field is one field of a reply.
type Field struct {
	Name   string
	Number bool // a JSON number in JSON mode; all others are strings (AF 0)
	Doc    Text
}

// A ReplySpec lists the fields that a reply may have, in the order of the wire
// (wire-facts 2.3).
type ReplySpec struct {
	Type   string // the value of type when the request succeeds
	Fields []*Field
}

// The fields of replies. Sources: 3.26, 1.1.5; order by recorded replies.
var (
	FieldType            = &Field{Name: "type", Doc: T("Type of the reply.", "Тип ответа.")}
	FieldSerial          = &Field{Name: "serial-number", Doc: T("Unique number of this request.", "Уникальный номер этого запроса.")}
	FieldMerchantOrder   = &Field{Name: "merchant-order-id", Doc: T("Connecting Party's order identifier.", "Номер заказа в системе Присоединяющейся Стороны.")}
	FieldProcessorTxID   = &Field{Name: "processor-tx-id", Doc: T("The processor's transaction identifier.", "Идентификатор транзакции у процессора.")}
	FieldPaynetOrder     = &Field{Name: "paynet-order-id", Doc: T("Order id assigned by the gateway.", "Номер заказа в шлюзе.")}
	FieldStatus          = &Field{Name: "status", Doc: T("approved, declined, error, processing or unknown.", "approved, declined, error, processing или unknown.")}
	FieldAmount          = &Field{Name: "amount", Doc: T("Actual amount.", "Фактическая сумма.")}
	FieldCurrency        = &Field{Name: "currency", Doc: T("Actual currency.", "Фактическая валюта.")}
	FieldDescriptor      = &Field{Name: "descriptor", Doc: T("The gate's descriptor, when it has one.", "Дескриптор гейта, если он задан.")}
	FieldOrigDescriptor  = &Field{Name: "original-gate-descriptor", Doc: T("Descriptor set on the gate.", "Дескриптор, заданный на гейте.")}
	FieldTransactionType = &Field{Name: "transaction-type", Doc: T("Type of the transaction.", "Тип транзакции.")}
	FieldReceipt         = &Field{Name: "receipt-id", Doc: T("Identifier of the receipt.", "Идентификатор квитанции.")}
	FieldEmail           = &Field{Name: "email", Doc: T("Receiver's e-mail address.", "Электронная почта Получателя.")}
	FieldLastName        = &Field{Name: "last-name", Doc: T("Receiver's last name.", "Фамилия Получателя.")}
	FieldFirstName       = &Field{Name: "first-name", Doc: T("Receiver's first name.", "Имя Получателя.")}
	FieldRRN             = &Field{Name: "processor-rrn", Doc: T("Retrieval reference number of the bank.", "Номер ссылки RRN банка.")}
	FieldApprovalCode    = &Field{Name: "approval-code", Doc: T("The bank's approval code.", "Код подтверждения банка.")}
	FieldOrderStage      = &Field{Name: "order-stage", Doc: T("Stage of the order.", "Стадия заказа.")}
	FieldPhone           = &Field{Name: "phone", Doc: T("Receiver's phone number.", "Телефон Получателя.")}
	FieldPurpose         = &Field{Name: "purpose", Doc: T("Purpose of the payout.", "Назначение выплаты.")}
	FieldProcessingDate  = &Field{Name: "paynet-processing-date", Doc: T("When the processor answered.", "Когда ответил процессор.")}
	FieldByRequestSN     = &Field{Name: "by-request-sn", Doc: T("The serial number that was asked for.", "Запрошенный серийный номер.")}
	FieldInitialAmount   = &Field{Name: "initial-amount", Doc: T("Amount of the initiating request.", "Сумма исходного запроса.")}
	FieldMerchantData    = &Field{Name: "merchantdata", Doc: T("Echo of merchant_data.", "Возвращённое значение merchant_data.")}
	FieldTransactionDate = &Field{Name: "transaction-date", Doc: T("When the order became final.", "Когда заказ завершился.")}
	FieldEndpoint        = &Field{Name: "end-point-id", Doc: T("The endpoint that was used.", "Использованная точка входа.")}
	FieldCardRef         = &Field{Name: "card-ref-id", Doc: T("Reference to the registered card.", "Ссылка на зарегистрированную карту.")}
	FieldUniqueCard      = &Field{Name: "unq-card-ref-id", Doc: T("The same for the same card, whatever the reference.", "Одинаков для одной и той же карты, независимо от ссылки.")}
	FieldDestBIN         = &Field{Name: "dest-bin", Doc: T("First six digits of the destination card.", "Первые шесть цифр карты получателя.")}
	FieldDestLastFour    = &Field{Name: "dest-last-four-digits", Doc: T("Last four digits of the destination card.", "Последние четыре цифры карты получателя.")}
	FieldDestCardType    = &Field{Name: "dest-card-type", Doc: T("Scheme of the destination card.", "Платёжная система карты получателя.")}
	FieldDestCardHash    = &Field{Name: "destination-card-hash-id", Doc: T("The same for the same destination card.", "Одинаков для одной и той же карты получателя.")}
	FieldCardholder      = &Field{Name: "cardholder-name", Doc: T("Name printed on the charged card.", "Имя, напечатанное на карте.")}
	FieldExpireMonth     = &Field{Name: "card-exp-month", Doc: T("Month in which the charged card expires.", "Месяц окончания срока действия карты.")}
	FieldExpireYear      = &Field{Name: "card-exp-year", Doc: T("Year in which the charged card expires.", "Год окончания срока действия карты.")}
	FieldLastFour        = &Field{Name: "last-four-digits", Doc: T("Last four digits of the charged card.", "Последние четыре цифры карты.")}
	FieldBIN             = &Field{Name: "bin", Doc: T("First six digits of the charged card.", "Первые шесть цифр карты.")}
	FieldCardType        = &Field{Name: "card-type", Doc: T("Scheme of the charged card.", "Платёжная система карты.")}
	FieldCardHash        = &Field{Name: "card-hash-id", Doc: T("The same for the same charged card.", "Одинаков для одной и той же карты.")}
	FieldRedirectURL     = &Field{Name: "redirect-url", Doc: T("Address of the payout form: send the Receiver's browser there.", "Адрес формы выплаты: направьте туда браузер Получателя.")}
	FieldRedirectTo      = &Field{Name: "redirect-to", Doc: T("Address of the form, while the order waits for the Receiver.", "Адрес формы, пока заказ ждёт Получателя.")}
	FieldECI             = &Field{Name: "eci", Doc: T("Electronic commerce indicator of the charge.", "Индикатор электронной коммерции (ECI).")}
	FieldMotivational    = &Field{Name: "motivational-message", Doc: T("More about the reason of a decline.", "Подробности о причине отказа.")}
	FieldErrorMessage    = &Field{Name: "error-message", Doc: T("Reason of a refusal or decline.", "Причина отказа.")}
	FieldErrorCode       = &Field{Name: "error-code", Number: true, Doc: T("Code of a refusal or decline.", "Код отказа.")}
)

// The replies.
var (
	AsyncReply = &ReplySpec{Type: "async-response",
		Fields: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldEndpoint}}

	// FormReply has the names of AF 4.
	FormReply = &ReplySpec{Type: "async-form-response",
		Fields: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldRedirectURL, FieldEndpoint}}

	StatusReply = &ReplySpec{Type: "status-response",
		Fields: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldProcessorTxID, FieldPaynetOrder, FieldStatus,
			FieldAmount, FieldCurrency, FieldDescriptor, FieldOrigDescriptor, FieldRedirectTo, FieldTransactionType, FieldReceipt,
			FieldCardholder, FieldExpireMonth, FieldExpireYear, FieldEmail, FieldLastName, FieldFirstName, FieldRRN, FieldApprovalCode, FieldOrderStage,
			FieldLastFour, FieldBIN, FieldCardType, FieldPhone,
			FieldPurpose, FieldDestBIN, FieldDestLastFour, FieldDestCardType, FieldProcessingDate, FieldByRequestSN,
			FieldCardHash, FieldDestCardHash, FieldECI, FieldInitialAmount, FieldMotivational, FieldMerchantData,
			FieldTransactionDate, FieldErrorMessage, FieldErrorCode}}

	// CardRefReply has the order of the table in 1.1.5.
	CardRefReply = &ReplySpec{Type: "create-card-ref-response",
		Fields: []*Field{FieldType, FieldSerial, FieldStatus, FieldCardRef, FieldUniqueCard, FieldEndpoint}}

	// ErrorReply answers refusals; Type is the code's kind.
	ErrorReply = &ReplySpec{
		Fields: []*Field{FieldType, FieldSerial, FieldMerchantOrder, FieldPaynetOrder, FieldErrorMessage, FieldErrorCode}}
)

// A Reply is the answer to one request. Empty fields are left out.
type Reply struct {
	Spec   *ReplySpec
	values map[*Field]string
}

// New starts a reply with its type set.
func (s *ReplySpec) New() *Reply {
	r := &Reply{Spec: s, values: make(map[*Field]string, len(s.Fields))}
	return r.Set(FieldType, s.Type)
}

// Set gives a field its value.
func (r *Reply) Set(f *Field, value string) *Reply {
	r.values[f] = value
	return r
}

// Get returns a field's value.
func (r *Reply) Get(f *Field) string { return r.values[f] }

// listed refuses a reply with a field that its table does not have, so that the
// documentation cannot lag behind.
func (r *Reply) listed() error {
	left := len(r.values)
	for _, f := range r.Spec.Fields {
		if _, ok := r.values[f]; ok {
			left--
		}
	}
	if left != 0 {
		return fmt.Errorf("reply %q has %d fields that its table does not list", r.values[FieldType], left)
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
	for _, f := range r.Spec.Fields {
		value := r.values[f]
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
	for _, f := range r.Spec.Fields {
		value := r.values[f]
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
