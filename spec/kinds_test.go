package spec

import (
	"strings"
	"testing"

	"payout"
)

func TestControlCharactersAreRefusedInLinesAndAcceptedInStrings(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		switch {
		case ruled(u):
		case u.Kind == Line:
			for _, s := range []string{"a\nb", "\r", "a\t", "\x1f", "\x7f", "\u0080", "\u0085", "\u009f"} {
				mustRefuse(t, c, with(c, u, u.Name, s), payout.CodeFormat, u.Name)
			}
			for _, s := range []string{" ", "~", "\u00a0", "a'b", "<b>", "🏦"} {
				mustAccept(t, c, with(c, u, u.Name, s))
			}
		case u.Kind == String:
			for _, s := range []string{"a\nb", "\r", "a\t", "\x01", "\x7f", "\u0085"} {
				mustAccept(t, c, with(c, u, u.Name, s))
			}
		}
	})
}

func TestNULIsRefusedEverywhere(t *testing.T) {
	eachRow(t, func(t *testing.T, c *Command, u Use) {
		code := payout.CodeFormat
		switch u.Kind {
		case URL:
			code = payout.CodeURL
		case Currency:
			code = payout.CodeCurrency
		}
		value := u.Sample[:len(u.Sample)-1] + "\x00"
		mustRefuse(t, c, with(c, u, u.Name, value), code, u.Name)
	})
}

// kindBorders has values on both sides of each kind's rules.
var kindBorders = []struct {
	command *Command
	param   *Param
	code    payout.ErrCode
	accept  []string
	refuse  []string
}{
	{Payout, CreditCardNumber, payout.CodeFormat,
		[]string{"4444555566661111", "4000000000000010"},
		[]string{"4444555566661112", "4444 5555 6666 1111", "4444-5555-6666-1111", "444455556666111x", "٤٤٤٤٥٥٥٥٦٦٦٦١١١١"}},
	{Payout, ExpireMonth, payout.CodeFormat,
		[]string{"1", "01", "12", "09"},
		[]string{"0", "00", "13", "+1", "-1", "x"}},
	{Payout, ExpireYear, payout.CodeFormat,
		[]string{"30", "2030", "99"},
		[]string{"203", "+30", "20x0", "-2030"[:4]}},
	{TransferByRef, ReceiverCountry, payout.CodeFormat,
		[]string{"DE", "RU", "XK", "A1", "EU", "US"},
		[]string{"ZZ", "de", "De", "X1", "UK", "12", "QQ"}},
	{TransferByRef, ReceiverResident, payout.CodeFormat,
		[]string{"true", "false"},
		[]string{"True", "FALSE", "0000", "maybe"}},
	{TransferByRef, SenderBirthday, payout.CodeFormat,
		[]string{"010190", "123199", "022900", "01011990", "02292000"},
		[]string{"130190", "013290", "000090", "0101199", "02291900", "13011990", "199001", "0229-0", "0101+1", "01 190"}},
	{TransferByRef, DestinationCardRef, payout.CodeFormat,
		[]string{"1", "12345678901234567890"},
		[]string{"x", "+1", "1.0"}},
	{Payout, IPAddress, payout.CodeFormat,
		[]string{"1.2.3.4", "255.255.255.255", "2001:db8::1", "2001:DB8::1", "::ffff:1.2.3.4", "::1.2.3.4"},
		[]string{"256.1.1.1", "1.2.3.04", "1.2.3.4.5", "1.2.3.4:80", "1.2.3.4/32", " 1.2.3.4", "[2001:db8::1]", "fe80::1%eth0", "fe80::1%\n",
			"example.com"}},
	{Payout, ReceiverPhone, payout.CodeFormat,
		[]string{"89031234567", "+79031234567", "+7 (903) 123-45-67", "7", "+7", "(7)"},
		[]string{"+", "-", " ", "++7", "7+7", " +7", "7.9", "7x", "x7", "٧٩٠٣", "7\n", "+7\t9"}},
	{Payout, ReceiverZipCode, payout.CodeFormat,
		[]string{"0", "101000", "0000000000"},
		[]string{"-1", "+1", "1 0", " 10", "10 ", "1.0", "1e3", "SW1A 1AA", "١"}},
	{Payout, ServerCallbackURL, payout.CodeURL,
		[]string{"http://h", "https://h", "HTTPS://Example.COM/", "https://example.com:8443/a?b=c&d", "https://[2001:db8::1]/", "https://example.com/%D0%B6",
			"https://example.com/ж"},
		[]string{"ftp://h", "h", "//h/x", "/x", "javascript:alert(1)", "https:h", "https:/h", "https:///x", "https://", "https://:443/", "https://user@h/",
			"https://user:password@h/", "https://@h/", "https://h/a b", "https://h/?a b", "https://h /", " https://h", "https://h ", "https://h/\n", "https://h/\x7f",
			"https://h/\u0085", "https://h/\u00a0", "https://h/\u2028", "https://h/%zz", "https://h:port/"}},
	{Payout, CurrencyParam, payout.CodeCurrency,
		[]string{"USD", "EUR", "RUB"},
		[]string{"usd", "Usd", "XXX", "XAU", "ZZZ", "US ", "840", "ЖЖЖ"}},
	{PayoutPay, OrderNumber, payout.CodeFormat,
		[]string{"1", "6982864", "999999999999999999", "000000000000000001"},
		[]string{"0", "00", "-1", "+1", "1 ", " 1", "1.0", "1e3", "0x1", "1_0", "x", "١"}},
	{PayoutPay, OrderNumber, payout.CodeTooLong,
		[]string{strings.Repeat("9", 18)},
		[]string{strings.Repeat("9", 19), "0000000000000000001"}},
	{StatusV2, ByRequestSN, payout.CodeFormat,
		[]string{"00000000-0000-0000-0000-000002e2c322", "00000000-0000-0000-0000-000002E2C322", "00000000-0000-0000-7fff-ffffffffffff"},
		[]string{"00000000-0000-0000-8000-000000000000", "10000000-0000-0000-0000-000002e2c322", "00000000-0000-0000-0000-000002e2c32g",
			"00000000-0000-0000-0000+000002e2c322", "00000000000000000000000000000002e2c3", "00000000-0000-0000-0000-+00002e2c322",
			"00000000-0000-0000-0000-000002e2c32ж"}},
}

func TestKindsBorders(t *testing.T) {
	for _, test := range kindBorders {
		u := use(t, test.command, test.param)
		for _, value := range test.accept {
			if r, err := test.command.Parse(with(test.command, u, u.Name, value)); err != nil || r.Text(test.param) != value {
				t.Errorf("%s %q is refused: %v", u.Name, value, err)
			}
		}
		for _, value := range test.refuse {
			t.Run(u.Name+" "+value, func(t *testing.T) {
				mustRefuse(t, test.command, with(test.command, u, u.Name, value), test.code, u.Name)
			})
		}
	}
}

func TestAmountIsMajorUnitsOfTheCurrency(t *testing.T) {
	for _, test := range []struct {
		text, currency string
		minor          int64          // when it is accepted
		code           payout.ErrCode // when it is refused
	}{
		{"10.42", "USD", 1042, 0}, {"10.4", "USD", 1040, 0}, {"0.01", "USD", 1, 0}, {"9999999.99", "USD", 999999999, 0},
		{"9999999999", "USD", 999999999900, 0}, {"10", "JPY", 10, 0}, {"10.421", "KWD", 10421, 0},
		{"0", "USD", 0, payout.CodeAmount}, {"0.00", "USD", 0, payout.CodeAmount}, {"-1", "USD", 0, payout.CodeAmount},
		{"+1", "USD", 0, payout.CodeAmount}, {"1e3", "USD", 0, payout.CodeAmount}, {"10.421", "USD", 0, payout.CodeAmount},
		{"1,5", "USD", 0, payout.CodeAmount}, {" 10", "USD", 0, payout.CodeAmount}, {"10 ", "USD", 0, payout.CodeAmount},
		{".5", "USD", 0, payout.CodeAmount}, {"5.", "USD", 0, payout.CodeAmount}, {"10.0", "JPY", 0, payout.CodeAmount},
		{"١", "USD", 0, payout.CodeAmount}, {"12345678.90", "USD", 0, payout.CodeTooLong}, {"00000000001", "USD", 0, payout.CodeTooLong},
	} {
		t.Run(test.text+" "+test.currency, func(t *testing.T) {
			form := with(Payout, use(t, Payout, AmountParam), "amount", test.text)
			for i := range form {
				if form[i].Name == "currency" {
					form[i].Value = test.currency
				}
			}
			if test.code != 0 {
				mustRefuse(t, Payout, form, test.code, "amount")
				return
			}
			want := payout.Amount{Minor: test.minor, Currency: payout.Currency(test.currency)}
			if got := mustAccept(t, Payout, form).Amount; got != want {
				t.Errorf("amount is %d %s, want %d", got.Minor, got.Currency, want.Minor)
			}
		})
	}
}

func TestPhoneDigitsAreThePhoneWithoutSeparators(t *testing.T) {
	for phone, want := range map[string]string{"+7 (903) 123-45-67": "79031234567", "89031234567": "89031234567", "+": "", "": "", "٧1": "1"} {
		if got := PhoneDigits(phone); got != want {
			t.Errorf("PhoneDigits(%q) = %q, want %q", phone, got, want)
		}
	}
}

func TestWireNamesTheKindAsTheSeedsTablesDo(t *testing.T) {
	for p, want := range map[*Param]string{ // 3.15
		ClientOrderID: "String", AmountParam: "Numeric", CurrencyParam: "String", ReceiverPhone: "Numeric", BankID: "String", IPAddress: "String",
		Purpose: "String", ReceiverFirstName: "String", ReceiverLastName: "String", ReceiverCountryCode: "String", ReceiverState: "String",
		ReceiverCity: "String", ReceiverZipCode: "Numeric", ReceiverAddress1: "String", ReceiverEmail: "String", OrderDesc: "String",
		ServerCallbackURL: "String",
	} {
		if got := p.Kind.Wire(); got != want {
			t.Errorf("%s is %s, want %s", p.Name, got, want)
		}
	}
}
