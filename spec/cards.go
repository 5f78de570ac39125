package spec

import "payout"

// Cards: their parameters and commands (1.1.5, AF 5.2 and 7).

// Card data.
var (
	CreditCardNumber = &Param{Name: "credit_card_number", Kind: Card, Min: 16, Max: 19, Sensitive: true,
		Doc:    T("Card number.", "Номер карты."),
		Sample: "4444555566661111", Source: "AF 3"}
	CardPrintedName = &Param{Name: "card_printed_name", Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Name printed on the card.", "Имя, напечатанное на карте."),
		Sample: "JOHN SMITH", Source: "AF 3"}
	ExpireMonth = &Param{Name: "expire_month", Kind: Month, Max: 2,
		Doc:    T("Month in which the card expires.", "Месяц окончания срока действия карты."),
		Sample: "12", Source: "AF 3"}
	ExpireYear = &Param{Name: "expire_year", Kind: Year, Min: 2, Max: 4,
		Doc:    T("Year in which the card expires.", "Год окончания срока действия карты."),
		Sample: "2030", Source: "AF 3"}
	CVV2 = &Param{Name: "cvv2", Kind: Digits, Min: 3, Max: 4, Sensitive: true, Transient: true,
		Doc:    T("Card verification value. It is never stored.", "Код проверки карты. Он нигде не сохраняется."),
		Sample: "123", Source: "AF 15"}
	CustomerIP = &Param{Name: "ipaddress", Kind: IP, Min: 7, Max: 45, Sensitive: true,
		Doc:    T("Cardholder's IP address, IPv4 or IPv6.", "IP-адрес держателя карты (IPv4 или IPv6)."),
		Sample: "127.0.0.1", Source: "AF 2"}
	DestinationCardNo = &Param{Name: "destination-card-no", Kind: Card, Min: 16, Max: 19, Sensitive: true,
		Doc:    T("Number of the card that the money goes to.", "Номер карты, на которую переводятся деньги."),
		Sample: "4444555566661111", Source: "1.1.5"}
	DestinationCardRef = &Param{Name: "destination-card-ref-id", Kind: Digits, Max: 20,
		Doc:    T("Reference to the card that the money goes to, given by create-card-ref.", "Ссылка на карту, на которую переводятся деньги, полученная от create-card-ref."),
		Sample: "1000000000000000000", Source: "1.1.5"}
)

// The Receiver of a transfer, beside the parameters of payouts.
var (
	ReceiverDocumentSeries = &Param{Name: "receiver_identity_document_series", Kind: Line, Max: 512, Sensitive: true,
		Doc:    T("Series of the Receiver's identity document.", "Серия документа, удостоверяющего личность Получателя."),
		Sample: "4509", Source: "1.1.5"}
	ReceiverDocumentNumber = &Param{Name: "receiver_identity_document_number", Kind: Line, Max: 512, Sensitive: true,
		Doc:    T("Number of the Receiver's identity document.", "Номер документа, удостоверяющего личность Получателя."),
		Sample: "123456", Source: "1.1.5"}
	ReceiverDocumentID = &Param{Name: "receiver_identity_document_id", Kind: Line, Max: 512,
		Doc:    T("Kind of the Receiver's identity document: 21 Russian passport, 31 international passport.", "Вид документа Получателя: 21 паспорт РФ, 31 заграничный паспорт."),
		Sample: "21", Source: "1.1.5"}
	ReceiverMiddleName = &Param{Name: "receiver_middle_name", Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Receiver's middle name.", "Отчество Получателя."),
		Sample: "Quincy", Source: "1.1.5"}
	ReceiverResident = &Param{Name: "receiver_resident", Kind: Bool, Min: 4, Max: 5,
		Doc:    T("Whether the Receiver is a resident.", "Является ли Получатель резидентом."),
		Sample: "true", Source: "1.1.5"}
	ReceiverPostalCode = &Param{Name: "receiver_zip_code", Kind: Line, Max: 10,
		Doc:    T("Receiver's postal code.", "Почтовый индекс Получателя."),
		Sample: "EC1A 1BB", Source: "1.1.5"}
	ReceiverCountry = &Param{Name: "receiver_country_code", Kind: Country, Min: 2, Max: 2,
		Doc:    T("Receiver's country (ISO 3166-1 alpha-2).", "Страна Получателя (ISO 3166-1 alpha-2)."),
		Sample: "RU", Source: "1.1.5"}
)

// The Sender of a transfer.
var (
	SenderFirstName = &Param{Name: "first_name", Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Sender's first name.", "Имя Отправителя."),
		Sample: "Jane", Source: "1.1.5"}
	SenderMiddleName = &Param{Name: "middle_name", Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Sender's middle name.", "Отчество Отправителя."),
		Sample: "Ann", Source: "1.1.5"}
	SenderLastName = &Param{Name: "last_name", Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Sender's last name.", "Фамилия Отправителя."),
		Sample: "Doe", Source: "1.1.5"}
	SenderSSN = &Param{Name: "ssn", Kind: Digits, Max: 32, Sensitive: true,
		Doc:    T("Last four digits of the Sender's social security number.", "Последние четыре цифры SSN Отправителя."),
		Sample: "1267", Source: "1.1.5"}
	SenderBirthday = &Param{Name: "birthday", Kind: Birthday, Min: 6, Max: 8, Sensitive: true,
		Doc:    T("Sender's date of birth, MMDDYY or MMDDYYYY.", "Дата рождения Отправителя, MMDDYY или MMDDYYYY."),
		Sample: "010190", Source: "1.1.5"}
	SenderAddress1 = &Param{Name: "address1", Kind: Line, Max: 50, Sensitive: true,
		Doc:    T("Sender's address.", "Адрес Отправителя."),
		Sample: "Main street 1", Source: "1.1.5"}
	SenderCity = &Param{Name: "city", Kind: Line, Max: 50,
		Doc:    T("Sender's city.", "Город Отправителя."),
		Sample: "Seattle", Source: "1.1.5"}
	SenderState = &Param{Name: "state", Kind: Line, Min: 2, Max: 3,
		Doc:    T("Sender's state; required for US, CA and AU.", "Штат Отправителя; обязателен для US, CA и AU."),
		Sample: "WA", Source: "1.1.5"}
	SenderZipCode = &Param{Name: "zip_code", Kind: Line, Max: 10,
		Doc:    T("Sender's postal code.", "Почтовый индекс Отправителя."),
		Sample: "98102", Source: "1.1.5"}
	SenderCountry = &Param{Name: "country", Kind: Country, Min: 2, Max: 2,
		Doc:    T("Sender's country (ISO 3166-1 alpha-2).", "Страна Отправителя (ISO 3166-1 alpha-2)."),
		Sample: "US", Source: "1.1.5"}
	SenderPhone = &Param{Name: "phone", Kind: Phone, Max: 15, Sensitive: true,
		Doc:    T("Sender's phone number with country code.", "Телефон Отправителя с кодом страны."),
		Sample: "+12063582043", Source: "1.1.5"}
	SenderCellPhone = &Param{Name: "cell_phone", Kind: Phone, Max: 15, Sensitive: true,
		Doc:    T("Sender's mobile phone number with country code.", "Мобильный телефон Отправителя с кодом страны."),
		Sample: "+12063582044", Source: "1.1.5"}
	SenderEmail = &Param{Name: "email", Kind: Line, Max: 50, Sensitive: true,
		Doc:    T("Sender's e-mail address.", "Адрес электронной почты Отправителя."),
		Sample: "jane.doe@example.com", Source: "1.1.5"}
)

// Where the browser goes at the end.
var (
	RedirectSuccessURL = &Param{Name: "redirect_success_url", Kind: URL, Max: 1024,
		Doc:    T("Like redirect_url, if the transaction is approved.", "Как redirect_url, если транзакция одобрена."),
		Sample: "https://example.com/success", Source: "1.1.5"}
	RedirectFailURL = &Param{Name: "redirect_fail_url", Kind: URL, Max: 1024,
		Doc:    T("Like redirect_url, if the transaction is declined.", "Как redirect_url, если транзакция отклонена."),
		Sample: "https://example.com/fail", Source: "1.1.5"}
)

// The commands with cards.
var (
	PayoutByRef = &Command{Version: 4, Name: "payout-by-ref", Auth: OAuthRSA, Group: true, Type: payout.TypePayout,
		Doc: T("Pays a registered card.", "Выплата на зарегистрированную карту."),
		Params: join(
			[]Use{required(ClientOrderID), required(AmountParam), required(CurrencyParam), required(DestinationCardRef),
				optional(OrderDesc), conditional(IPAddress), conditional(Purpose)},
			all(conditional, receiver...),
			[]Use{conditional(ReceiverPhone), optional(MerchantData), optional(ServerCallbackURL), optional(NotifyURL), optional(RedirectURL)}),
		Rules:  []Rule{notBoth(ServerCallbackURL, NotifyURL)},
		Repeat: RepeatReplays, Reply: AsyncReply, After: &After{Command: CreateCardRefV4, Gives: FieldCardRef, Takes: DestinationCardRef}, Reaches: payout.Approved, Source: "AF 5.2"}

	TransferByRef = &Command{Version: 4, Name: "transfer-by-ref", Auth: OAuthRSA, Group: true, Type: payout.TypeTransfer,
		Doc:    T("Transfers money from the Connecting Party's account to a card.", "Перевод со счёта Присоединяющейся Стороны на карту."),
		Params: transferUses,
		Rules: []Rule{eitherOf(DestinationCardNo, DestinationCardRef), stateOf(SenderState, SenderCountry),
			notBoth(ServerCallbackURL, NotifyURL)},
		Repeat: RepeatReplays, Reply: AsyncReply, Shows: []*Param{DestinationCardNo}, Reaches: payout.Approved, Source: "1.1.5"}

	Sale = initialPayment("sale", payout.TypeSale, T("Charges a card.", "Списание с карты."), saleSum, required(AmountParam))

	Preauth = initialPayment("preauth", payout.TypePreauth, T("Holds an amount on a card.", "Блокировка суммы на карте."), saleSum, required(AmountParam))

	AccountVerification = initialPayment("account-verification", payout.TypeAccountVerification,
		T("Verifies a card without charging it.", "Проверка карты без списания."), verificationSum)

	CreateCardRefV2 = &Command{Version: 2, Name: "create-card-ref", Auth: Control, Group: true, Type: payout.TypeCardRef,
		Doc:    T("Registers the card of an approved order and gives a reference to it.", "Регистрирует карту одобренного заказа и выдаёт ссылку на неё."),
		Params: []Use{required(Login), required(ClientOrderID).strict(), required(OrderNumber), required(ControlSum)},
		Sum:    orderSum,
		Reply:  CardRefReply, After: &After{Command: Sale, Stage: payout.Approved}, Source: "1.1.5"}

	CreateCardRefV4 = &Command{Version: 4, Name: "create-card-ref", Auth: OAuthRSA, Group: true, Type: payout.TypeCardRef,
		Doc:    T("Registers the card of an approved order and gives a reference to it.", "Регистрирует карту одобренного заказа и выдаёт ссылку на неё."),
		Params: []Use{required(Login), required(ClientOrderID), required(OrderNumber)},
		Reply:  CardRefReply, After: &After{Command: Sale, Stage: payout.Approved}, Source: "AF 7"}
)

// transferUses is the table of transfer-by-ref, row by row as in 1.1.5. The
// short names (first_name, phone ...) are the Sender's here.
var transferUses = join(
	[]Use{required(ClientOrderID), conditional(DestinationCardNo), conditional(DestinationCardRef), required(AmountParam),
		required(CurrencyParam), required(OrderDesc).upTo(65536)},
	all(optional, ReceiverDocumentSeries, ReceiverDocumentNumber, ReceiverDocumentID),
	[]Use{conditional(ReceiverAddress1).strict().upTo(512), conditional(ReceiverCity).strict().upTo(512),
		required(ReceiverFirstName).strict(), optional(ReceiverMiddleName), required(ReceiverLastName).strict(),
		optional(ReceiverPhone).strict(), optional(ReceiverResident), optional(IPAddress)},
	all(optional, SenderFirstName, SenderMiddleName, SenderLastName, SenderSSN, SenderBirthday, SenderAddress1, SenderCity,
		SenderState, SenderZipCode),
	[]Use{conditional(ReceiverPostalCode)},
	all(optional, SenderCountry, ReceiverCountry, SenderPhone, SenderCellPhone, SenderEmail, Purpose, ServerCallbackURL, NotifyURL,
		RedirectURL, RedirectSuccessURL, RedirectFailURL, MerchantData),
)

// initialPayment is the command of an initial payment: step 1 of 1.1.5. No table
// of theirs could be read; the names are the reference client's (AF 2, 3 and 15).
// What names a person is the cardholder's here, as the Sender's on transfers.
func initialPayment(name string, t payout.TransactionType, doc Text, sum []SumPart, amount ...Use) *Command {
	return &Command{Version: 2, Name: name, Auth: Control, Group: true, Type: t, Doc: doc,
		Params: join([]Use{required(ClientOrderID).strict(), optional(OrderDesc).upTo(65536)}, amount,
			all(required, CurrencyParam, CreditCardNumber, CardPrintedName, ExpireMonth, ExpireYear, CVV2),
			all(optional, SenderEmail, CustomerIP, SenderFirstName, SenderMiddleName, SenderLastName, SenderSSN, SenderBirthday,
				SenderAddress1, SenderCity, SenderState, SenderZipCode, SenderCountry, SenderPhone, SenderCellPhone, Purpose,
				ServerCallbackURL, NotifyURL, RedirectURL, MerchantData),
			[]Use{required(ControlSum)}),
		Rules:  []Rule{stateOf(SenderState, SenderCountry), notBoth(ServerCallbackURL, NotifyURL)},
		Sum:    sum,
		Repeat: RepeatReplays, Reply: AsyncReply, Shows: []*Param{SenderEmail}, Reaches: payout.Approved, Source: "1.1.5, AF 2"}
}
