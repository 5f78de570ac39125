package spec

// The dictionary of parameters. Sources: a number such as 3.26 is the seed
// page of that number; AF n is section n of the collected API facts.

// Identification of the order and the caller.
var (
	ClientOrderID = &Param{Name: "client_orderid", Aliases: []string{"client-order-id"}, Kind: Line, Max: 128,
		Doc:    T("Connecting Party's order identifier.", "Идентификатор заказа у Присоединяющейся Стороны."),
		Sample: "902B4FF5", Source: "3.26, 3.15"}
	OrderNumber = &Param{Name: "orderid", Kind: OrderID, Max: 18,
		Doc:    T("Order id assigned to the order by the gateway (paynet-order-id).", "Номер заказа, присвоенный шлюзом (paynet-order-id)."),
		Sample: "6982864", Source: "3.39, 1.1.5"}
	Login = &Param{Name: "login", Kind: Line, Max: 128,
		Doc:    T("Connecting Party's login name.", "Логин Присоединяющейся Стороны."),
		Sample: "TestMerchant", Source: "3.39, 1.1.5"}
	ByRequestSN = &Param{Name: "by-request-sn", Kind: Serial, Min: 36, Max: 36,
		Doc:    T("Serial number of an earlier request about this order; the reply tells the state of that request's transaction.", "Серийный номер более раннего запроса по этому заказу; в ответе будет состояние его транзакции."),
		Sample: "00000000-0000-0000-0000-000002e2c322", Source: "1.1.5"}
	ControlSum = &Param{Name: "control", Kind: Line, Max: 128, Sensitive: true, Transient: true,
		Doc:    T("SHA-1 checksum that authenticates the request.", "Контрольная сумма SHA-1, удостоверяющая запрос."),
		Sample: "c52cfb609f20a3677eb280cc4709278ea8f7024c", Source: "1.1.5"}
)

// Money and purpose.
var (
	AmountParam = &Param{Name: "amount", Kind: Amount, Max: 10,
		Doc:    T("Amount in the currency's major units with '.' as the delimiter: 10.5 in USD is 10 dollars and 50 cents.", "Сумма в основных единицах валюты с разделителем «.»: 100.5 в RUB означает 100 рублей 50 копеек."),
		Sample: "10.42", Source: "3.15, AF 3"}
	CurrencyParam = &Param{Name: "currency", Kind: Currency, Min: 3, Max: 3,
		Doc:    T("Three-letter currency code (ISO 4217).", "Трёхбуквенный код валюты (ISO 4217)."),
		Sample: "USD", Source: "3.15, AF 3"}
	OrderDesc = &Param{Name: "order_desc", Kind: String, Max: 64,
		Doc:    T("Description of the order.", "Описание заказа."),
		Sample: "Test Order Описание", Source: "3.15, AF 3"}
	Purpose = &Param{Name: "purpose", Kind: String, Max: 128,
		Doc:    T("Purpose of the payout.", "Назначение вывода средств."),
		Sample: "+7123456789", Source: "3.15, AF 3"}
	MerchantData = &Param{Name: "merchant_data", Kind: String, Max: 65536,
		Doc:    T("Any data of the Connecting Party; returned in status and callback.", "Любые данные Присоединяющейся Стороны; возвращаются в ответе на запрос статуса и в обратном вызове."),
		Sample: "VIP customer", Source: "1.1.5"}
)

// Where the outcome is told.
var (
	ServerCallbackURL = &Param{Name: "server_callback_url", Kind: URL, Max: 1024,
		Doc:    T("URL that the order's outcome is sent to.", "URL, по которому отправляется результат заказа."),
		Sample: "https://example.com/callback", Source: "3.15, AF 9"}
	NotifyURL = &Param{Name: "notify_url", Kind: URL, Max: 1024,
		Doc:    T("Like server_callback_url, also for later transactions of the order; not both.", "Как server_callback_url, но и для последующих транзакций заказа; только одно из двух."),
		Sample: "https://example.com/notify", Source: "AF 9"}
	RedirectURL = &Param{Name: "redirect_url", Kind: URL, Max: 1024,
		Doc:    T("URL that the Receiver's browser returns to at the end.", "URL, на который браузер Получателя возвращается в конце."),
		Sample: "https://example.com/done", Source: "AF 3"}
)

// The Receiver's bank account (AF 3, part B).
var (
	AccountNumber = &Param{Name: "account_number", Kind: Line, Max: 34, Sensitive: true,
		Doc:    T("Receiver's account number or IBAN.", "Номер счёта или IBAN Получателя."),
		Sample: "1234567890", Source: "3.26, AF 3"}
	AccountName = &Param{Name: "account_name", Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Name of the account's holder.", "Имя владельца счёта."),
		Sample: "John Q. Public", Source: "3.26, AF 3"}
	RoutingNumber = &Param{Name: "routing_number", Kind: Line, Max: 16,
		Doc:    T("Routing number of the bank's branch.", "Маршрутный номер отделения банка."),
		Sample: "021000021", Source: "3.26, AF 3"}
	BankName = &Param{Name: "bank_name", Kind: Line, Max: 255,
		Doc:    T("Name of the Receiver's bank.", "Название банка Получателя."),
		Sample: "First Bank", Source: "AF 3"}
	BankBranch = &Param{Name: "bank_branch", Kind: Line, Max: 255,
		Doc:    T("Name of the bank's branch.", "Название отделения банка."),
		Sample: "Main branch", Source: "AF 3"}
	BankCode = &Param{Name: "bank_code", Kind: Line, Max: 16,
		Doc:    T("Code of the bank, such as a BIC.", "Код банка, например БИК."),
		Sample: "044525225", Source: "AF 3"}
	BankCity = &Param{Name: "bank_city", Kind: Line, Max: 255,
		Doc:    T("City of the bank.", "Город банка."),
		Sample: "Berlin", Source: "AF 3"}
	BankProvince = &Param{Name: "bank_province", Kind: Line, Max: 255,
		Doc:    T("Province of the bank.", "Провинция банка."),
		Sample: "Sichuan", Source: "AF 3"}
	BankArea = &Param{Name: "bank_area", Kind: Line, Max: 255,
		Doc:    T("Area of the bank.", "Район банка."),
		Sample: "Jinniu", Source: "AF 3"}
	BankAddress1 = &Param{Name: "bank_address1", Kind: Line, Max: 255,
		Doc:    T("Address of the bank.", "Адрес банка."),
		Sample: "Main street 1", Source: "AF 3"}
	BankZipCode = &Param{Name: "bank_zip_code", Kind: Line, Max: 255,
		Doc:    T("Postal code of the bank.", "Почтовый индекс банка."),
		Sample: "10115", Source: "AF 3"}
)

// The Receiver.
var (
	ReceiverPhone = &Param{Name: "receiver_phone", Aliases: []string{"phone"}, Kind: Phone, Max: 128, Sensitive: true,
		Doc:    T("Receiver's phone number with country code.", "Телефон Получателя с кодом страны."),
		Sample: "89031234567", Source: "3.15"}
	BankID = &Param{Name: "merchant_data", Aliases: []string{"bank_id"}, Kind: String, Max: 65536,
		Doc:    T("Number of the Receiver's bank in the SBP directory; returned in status and callback.", "Номер банка Получателя из справочника СБП; возвращается в ответе на запрос статуса и в обратном вызове."),
		Sample: "100000000111", Source: "3.15"}
	IPAddress = &Param{Name: "ipaddress", Kind: IP, Min: 7, Max: 45, Sensitive: true,
		Doc:    T("Receiver's IP address, IPv4 or IPv6.", "IP-адрес Получателя (IPv4 или IPv6)."),
		Sample: "127.0.0.1", Source: "3.15, AF 3"}
	ReceiverFirstName = &Param{Name: "receiver_first_name", Aliases: []string{"first_name"}, Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Receiver's first name.", "Имя Получателя."),
		Sample: "John", Source: "3.15"}
	ReceiverLastName = &Param{Name: "receiver_last_name", Aliases: []string{"last_name"}, Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Receiver's last name.", "Фамилия Получателя."),
		Sample: "Smith", Source: "3.15"}
	ReceiverCountryCode = &Param{Name: "receiver_country_code", Aliases: []string{"country"}, Kind: Line, Max: 3,
		Doc:    T("Receiver's country code.", "Страна Получателя."),
		Sample: "RU", Source: "3.15"}
	ReceiverState = &Param{Name: "receiver_state", Aliases: []string{"state"}, Kind: Line, Max: 4,
		Doc:    T("Receiver's state, for countries that have states (USA, Canada, Australia).", "Штат Получателя, если у страны есть штаты (США, Канада, Австралия)."),
		Sample: "NY", Source: "3.15"}
	ReceiverCity = &Param{Name: "receiver_city", Aliases: []string{"city"}, Kind: Line, Max: 128,
		Doc:    T("Receiver's city.", "Город Получателя."),
		Sample: "Москва", Source: "3.15"}
	ReceiverZipCode = &Param{Name: "receiver_zip_code", Aliases: []string{"zip_code"}, Kind: Digits, Max: 32,
		Doc:    T("Receiver's postal code.", "Почтовый индекс Получателя."),
		Sample: "101000", Source: "3.15"}
	ReceiverAddress1 = &Param{Name: "receiver_address1", Aliases: []string{"address1"}, Kind: Line, Max: 256, Sensitive: true,
		Doc:    T("Receiver's address.", "Адрес Получателя."),
		Sample: "Tverskaya 1", Source: "3.15"}
	ReceiverEmail = &Param{Name: "receiver_email", Aliases: []string{"email"}, Kind: Line, Max: 128, Sensitive: true,
		Doc:    T("Receiver's e-mail address.", "Адрес электронной почты Получателя."),
		Sample: "john.smith@example.com", Source: "3.15"}
)
