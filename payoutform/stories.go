package payoutform

import (
	"fmt"
	"io"
	"time"

	"payout"
	"payout/web"
)

// A Story is one page in one state, drawn from sample data.
type Story struct {
	Name string // such as form-account-wrong
	Draw func(p *Pages, w io.Writer, lang web.Lang) error
}

// The paths of the storybook that stories lead to.
const (
	storyPath   = "/"
	storyAssets = "/"
	storyAccent = "/accent.css"
	storyLogo   = "/logo.svg"
)

// storyTime is when stories happen.
var storyTime = time.Date(2026, time.November, 21, 14, 30, 0, 0, time.UTC)

// Stories lists every page in every state: for the storybook, for the check of
// templates at start, and for tests.
func Stories() []Story {
	var all []Story
	for _, group := range [][]Story{formStories(), waitStories(), finishStories(), receiptStories(), troubleStories()} {
		all = append(all, group...)
	}
	return all
}

// storyFrame is the frame of a story; every second brand has a logo and a
// colour of its own.
func storyFrame(name string, lang web.Lang) Frame {
	f := Frame{Lang: lang, Brand: Brand{Name: "Northwind"}, Assets: storyAssets + web.AssetsPath()}
	for _, other := range web.Languages() {
		if other != lang {
			f.Languages = append(f.Languages, LanguageLink{other, other.Name(), storyPath + name + "?lang=" + string(other)})
		}
	}
	return f
}

// branded gives a frame the logo and colour of an operator.
func branded(f Frame) Frame {
	f.Brand, f.AccentSheet = Brand{Name: "Sunny Games", Logo: storyLogo, Accent: "#ffb000"}, storyAccent
	return f
}

// storyText is a sample text in the language of a story.
func storyText(lang web.Lang, english, russian string) string {
	if lang == web.Russian {
		return russian
	}
	return english
}

func dollars() payout.Amount { return payout.Amount{Minor: 104250, Currency: "USD"} }
func roubles() payout.Amount { return payout.Amount{Minor: 1250000, Currency: "RUB"} }

func accountFields() []Field {
	return []Field{
		{Name: "account_name", Input: InputText, Required: true, Max: 128},
		{Name: "account_number", Input: InputIBAN, Required: true, Max: 34},
		{Name: "bank_name", Input: InputText, Max: 255},
		{Name: "routing_number", Input: InputText, Max: 16},
	}
}

func cardFields() []Field {
	return []Field{
		{Name: "credit_card_number", Input: InputCard, Required: true, Max: 19},
		{Name: "expire_month", Input: InputMonth, Required: true, Max: 2},
		{Name: "expire_year", Input: InputYear, Required: true, Max: 4},
		{Name: "card_printed_name", Input: InputText, Required: true, Max: 128},
	}
}

func phoneFields() []Field {
	return []Field{
		{Name: "receiver_phone", Input: InputPhone, Required: true, Max: 128},
		{Name: "bank_id", Input: InputBank, Required: true, Max: 32},
	}
}

// fullFields are fields that few gates ask for, one without a name of ours.
func fullFields() []Field {
	return append(accountFields()[:2],
		Field{Name: "bank_code", Input: InputText, Required: true, Max: 16},
		Field{Name: "bank_city", Input: InputText, Required: true, Max: 255},
		Field{Name: "receiver_first_name", Input: InputText, Required: true, Max: 128},
		Field{Name: "receiver_last_name", Input: InputText, Required: true, Max: 128},
		Field{Name: "receiver_country_code", Input: InputCountry, Required: true, Max: 3},
		Field{Name: "receiver_zip_code", Input: InputDigits, Required: true, Max: 32},
		Field{Name: "receiver_email", Input: InputEmail, Required: true, Max: 128},
		Field{Name: "tax_number", Input: InputDigits, Max: 12})
}

var storyBanks = []Bank{
	{"100000000008", "Альфа-Банк"}, {"100000000005", "Банк ВТБ"}, {"100000000001", "Газпромбанк"}, {"100000000015", "Банк Открытие"},
	{"100000000007", "Райффайзенбанк"}, {"100000000111", "Сбербанк"}, {"100000000013", "Совкомбанк"}, {"100000000004", "Т-Банк"},
}

// answered returns fields with values and problems, by name.
func answered(fields []Field, values map[string]string, problems map[string]Problem) []Field {
	for i, f := range fields {
		fields[i].Value, fields[i].Problem = values[f.Name], problems[f.Name]
	}
	return fields
}

func formStories() []Story {
	form := func(name string, method Method, amount payout.Amount, fields func() []Field, change func(*FormView)) Story {
		return Story{name, func(p *Pages, w io.Writer, lang web.Lang) error {
			v := FormView{Frame: storyFrame(name, lang), Action: storyPath + name + "?lang=" + string(lang), Method: method, Amount: amount,
				Description: storyText(lang, "Winnings for October", "Выигрыш за октябрь"), Fields: fields(), Expires: storyTime}
			if method == ToPhone {
				v.Banks = storyBanks
			}
			if change != nil {
				change(&v)
			}
			return p.Form(w, v)
		}}
	}
	return []Story{
		form("form-account", ToAccount, dollars(), accountFields, nil),
		form("form-account-wrong", ToAccount, dollars(), func() []Field {
			return answered(accountFields(), map[string]string{"account_number": "DE89 3704 0044 0532 0130 01", "bank_name": "Commerzbank"},
				map[string]Problem{"account_name": ProblemMissing, "account_number": ProblemCheck})
		}, nil),
		form("form-phone", ToPhone, roubles(), phoneFields, nil),
		form("form-phone-wrong", ToPhone, roubles(), func() []Field {
			return answered(phoneFields(), map[string]string{"receiver_phone": "8900123", "bank_id": "100000000111"},
				map[string]Problem{"receiver_phone": ProblemShort, "bank_id": ProblemFormat})
		}, nil),
		form("form-card", ToCard, payout.Amount{Minor: 1500, Currency: "KWD"}, cardFields, nil),
		form("form-card-wrong", ToCard, payout.Amount{Minor: 98765, Currency: "JPY"}, func() []Field {
			return answered(cardFields(), map[string]string{"expire_month": "13", "expire_year": "21", "card_printed_name": "JOHN SMITH"},
				map[string]Problem{"credit_card_number": ProblemCheck, "expire_month": ProblemFormat, "expire_year": ProblemExpired})
		}, nil),
		form("form-full", ToAccount, dollars(), fullFields, func(v *FormView) { v.Frame = branded(v.Frame) }),
		form("form-full-wrong", ToAccount, payout.Amount{Minor: 123456789012, Currency: "IDR"}, func() []Field {
			fields := fullFields()
			for i := range fields {
				fields[i].Problem = []Problem{ProblemMissing, ProblemLong, ProblemShort, ProblemFormat, ProblemCheck}[i%5]
			}
			return fields
		}, func(v *FormView) { v.Brand, v.Description, v.Languages = Brand{}, "", nil }),
	}
}

func waitStories() []Story {
	var all []Story
	for _, state := range waitStates {
		name := "wait-" + string(state)
		all = append(all, Story{name, func(p *Pages, w io.Writer, lang web.Lang) error {
			return p.Wait(w, WaitView{Frame: storyFrame(name, lang), State: state, Amount: dollars(), To: "DE89 •••• 3000",
				Events: "/events", Poll: "/poll/" + string(state), Self: storyPath + name + "?lang=" + string(lang)})
		}})
	}
	return all
}

func finishStories() []Story {
	finish := func(name string, outcome Outcome, change func(*FinishView)) Story {
		return Story{name, func(p *Pages, w io.Writer, lang web.Lang) error {
			v := FinishView{Frame: storyFrame(name, lang), Outcome: outcome, Amount: dollars(), To: "DE89 •••• 3000", At: storyTime,
				Number: "902B4FF5-1730"}
			if change != nil {
				change(&v)
			}
			return p.Finish(w, v)
		}}
	}
	receipt := func(v *FinishView) {
		v.Receipt = storyPath + "receipt-" + string(v.Outcome) + "?lang=" + string(v.Lang)
	}
	back := func(v *FinishView) {
		receipt(v)
		v.Frame = branded(v.Frame)
		v.Return = &Return{URL: "/returned", Fields: []NameValue{{"status", string(v.Outcome)}, {"orderid", "1730"}}}
	}
	return []Story{
		finish("finish-approved", OutcomeApproved, receipt),
		finish("finish-approved-return", OutcomeApproved, back),
		finish("finish-declined", OutcomeDeclined, receipt),
		finish("finish-declined-return", OutcomeDeclined, func(v *FinishView) { back(v); v.Brand = Brand{} }),
		finish("finish-unknown", OutcomeUnknown, nil),
		finish("finish-expired", OutcomeExpired, func(v *FinishView) { v.To = "" }),
	}
}

func receiptStories() []Story {
	receipt := func(outcome Outcome, change func(*ReceiptView)) Story {
		name := "receipt-" + string(outcome)
		return Story{name, func(p *Pages, w io.Writer, lang web.Lang) error {
			v := ReceiptView{Frame: storyFrame(name, lang), Outcome: outcome, Amount: roubles(), To: "4444 55•• •••• 1111", At: storyTime,
				Description: storyText(lang, "Winnings for October", "Выигрыш за октябрь"), Number: "902B4FF5-1730", OrderNumber: "5624444333322221",
				ReceiptID: "2050dfc3-6a09-5d4c-b6a4-1f1b0a0f6a11"}
			change(&v)
			return p.Receipt(w, v)
		}}
	}
	return []Story{
		receipt(OutcomeApproved, func(v *ReceiptView) { v.RRN, v.Approval = "632514789012", "A1B2C3" }),
		receipt(OutcomeDeclined, func(v *ReceiptView) { v.Reason = "Account closed" }),
	}
}

func troubleStories() []Story {
	var all []Story
	for _, trouble := range []Trouble{TroubleNotFound, TroubleTooMany, TroubleForeign, TroubleBusy, TroubleInternal} {
		name := fmt.Sprintf("trouble-%s", trouble)
		all = append(all, Story{name, func(p *Pages, w io.Writer, lang web.Lang) error {
			v := TroubleView{Frame: storyFrame(name, lang), Trouble: trouble}
			if trouble == TroubleNotFound {
				v.Brand = Brand{}
			}
			if trouble == TroubleBusy {
				v.Again = storyPath + name
			}
			return p.Trouble(w, v)
		}})
	}
	return all
}
