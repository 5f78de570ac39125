package docs

import (
	"strings"

	"payout"
	"payout/callback"
	"payout/processor/simulator"
	"payout/spec"
)

// referencePages are the tables, and the glossary.
func (h *Handler) referencePages() []*page {
	table := func(path string, title, summary spec.Text, data func() any) *page {
		return &page{path: "reference/" + path, section: inReference, title: title, summary: summary, template: path + ".html",
			view: func(*visit) (any, error) { return data(), nil }}
	}
	stages := table("stages", spec.T("Statuses and stages", "Статусы и стадии"),
		spec.T("What status and order-stage tell, and how an order moves.", "Что сообщают status и order-stage и как движется заказ."), nil)
	stages.view = func(v *visit) (any, error) {
		svg, err := drawing("stages", v.lang)
		return map[string]any{"Statuses": statusTable(), "Stages": stageTable(), "Drawing": svg}, err
	}
	all := []*page{
		table("errors", spec.T("Error codes", "Коды ошибок"),
			spec.T("Every error code, its text and what to do about it.", "Все коды ошибок, их тексты и что с ними делать."),
			func() any { return errorTable() }),
		stages,
		table("callback", spec.T("Callback fields", "Поля обратного вызова"),
			spec.T("What the gateway sends to server_callback_url or notify_url.", "Что шлюз отправляет на server_callback_url или notify_url."),
			func() any { return callbackTable() }),
		table("redirect", spec.T("Redirect fields", "Поля итогового перенаправления"),
			spec.T("What the Receiver's browser posts to redirect_url at the end.", "Что браузер Получателя в конце отправляет на redirect_url."),
			func() any { return redirectTable() }),
		table("scenarios", spec.T("Sandbox scenarios", "Сценарии песочницы"),
			spec.T("Account numbers, cards and phones that decline, are slow or give no answer.", "Счета, карты и телефоны, которые дают отказ, задержку или остаются без ответа."),
			func() any {
				return map[string]any{"Scenarios": scenarioTable(), "CardCodes": cardCodeTable()}
			}),
	}
	for _, g := range h.site.guides {
		if g.slug == glossarySlug {
			all = append(all, h.guidePage(g, inReference))
		}
	}
	return all
}

// An errorGroup is the error codes of a kind.
type errorGroup struct {
	Kind payout.Kind
	Rows []payout.CodeRow
}

func errorTable() []errorGroup {
	var groups []errorGroup
	for _, kind := range []payout.Kind{payout.KindValidation, payout.KindError, payout.KindOutcome} {
		g := errorGroup{Kind: kind}
		for _, row := range payout.ErrCodes() {
			if row.Kind == kind {
				g.Rows = append(g.Rows, row)
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// A stageLine is a stage with its words on the wire and the moves from it.
type stageLine struct {
	payout.StageRow
	OrderStage string // of a payout
	Final      bool
	Moves      []payout.Move
}

func stageTable() []stageLine {
	var all []stageLine
	for _, row := range payout.Stages() {
		line := stageLine{StageRow: row, OrderStage: row.Stage.OrderStage(payout.TypePayout), Final: row.Stage.Final()}
		for _, m := range payout.Moves() {
			if m.From == row.Stage {
				line.Moves = append(line.Moves, m)
			}
		}
		all = append(all, line)
	}
	return all
}

// A statusLine is a status with the stages that it tells of.
type statusLine struct {
	Status payout.Status
	Final  bool
	Stages []payout.StageRow
}

func statusTable() []statusLine {
	var all []statusLine
	for _, status := range []payout.Status{payout.StatusProcessing, payout.StatusUnknown, payout.StatusApproved, payout.StatusDeclined, payout.StatusError} {
		line := statusLine{Status: status, Final: status.Final()}
		for _, row := range payout.Stages() {
			if row.Status == status {
				line.Stages = append(line.Stages, row)
			}
		}
		all = append(all, line)
	}
	return all
}

// A fieldTable is a table of fields that the gateway sends.
type fieldTable struct {
	Prefix string // of the ids of its rows
	Fields []callback.Field
}

func callbackTable() fieldTable { return fieldTable{"callback", callback.Fields} }
func redirectTable() fieldTable { return fieldTable{"redirect", callback.RedirectFields} }

// A scenarioView is the scenarios that one command can meet. The columns are the
// parameters that name the Receiver; an empty one is left out.
type scenarioView struct {
	Account, Card, Phone string
	Scenarios            []simulator.Scenario
}

// cardWord stands for the card behind a reference: no parameter has its number.
const cardWord = "card"

func scenarioTable() scenarioView {
	return scenarioView{spec.AccountNumber.Name, cardWord, spec.ReceiverPhone.Name, simulator.Scenarios()}
}

func cardCodeTable() []simulator.CardCode { return simulator.CardCodes() }

// slugOf makes an id of a text: letters and digits of any script, joined by '-'.
func slugOf(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !isWord(r) })
	if len(words) == 0 {
		return "section"
	}
	return strings.Join(words, "-")
}
