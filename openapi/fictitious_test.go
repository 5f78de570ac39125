package openapi

import (
	"slices"
	"testing"

	"payout"
	"payout/spec"
)

// fictitious are two commands that no gateway has, with a parameter, a reply and
// a formula of their own.
func fictitious() []*spec.Command {
	colour := &spec.Param{Name: "envelope-colour", Aliases: []string{"colour"}, Kind: spec.Line, Min: 3, Max: 12, Doc: spec.T("Colour of the envelope.", "Цвет конверта."), Sample: "teal"}
	copies := &spec.Param{Name: "copies", Kind: spec.Digits, Max: 2, Doc: spec.T("How many copies.", "Сколько копий."), Sample: "3"}
	stamp := &spec.Field{Name: "stamp-id", Doc: spec.T("Number of the stamp.", "Номер марки."), Sample: "77001"}
	reply := &spec.ReplySpec{Type: "post-letter-response", Fields: []*spec.Field{spec.FieldType, spec.FieldSerial, stamp}}
	signed := &spec.Command{Version: 4, Name: "post-letter", Auth: spec.OAuthRSA, Group: true, Type: payout.TypePayout,
		Doc: spec.T("Posts a letter.", "Отправляет письмо."), Reply: reply, Shows: []*spec.Param{copies},
		Params: []spec.Use{{Param: spec.ClientOrderID, Need: spec.Required}, {Param: colour, Need: spec.Required}, {Param: copies, Need: spec.Optional},
			{Param: spec.NotifyURL, Need: spec.Optional}}}
	summed := &spec.Command{Version: 2, Name: "recall-letter", Auth: spec.Control, Doc: spec.T("Recalls a letter.", "Отзывает письмо."), Reply: reply,
		Sum: []spec.SumPart{spec.SumID, spec.SumPart(colour.Name)}, After: &spec.After{Command: signed, Gives: stamp, Takes: copies},
		Params: []spec.Use{{Param: copies, Need: spec.Required}, {Param: colour, Need: spec.Required}, {Param: spec.ControlSum, Need: spec.Required}}}
	return []*spec.Command{signed, summed}
}

func TestAFictitiousCommandIsDescribedWithNoOtherChange(t *testing.T) {
	commands := append(slices.Clone(spec.Commands), fictitious()...)
	text := document(t, commands, "en")
	d := read(t, text)
	for _, path := range []string{"/api/v4/post-letter/{endpointId}", "/api/v4/post-letter/group/{groupId}", "/api/v2/recall-letter/{endpointId}"} {
		d.at(t, "paths", path, "post", "requestBody", "content", formType, "example")
	}
	if _, ok := d.at(t, "paths")["/api/v2/recall-letter/group/{groupId}"]; ok {
		t.Error("a command that no group has a path for has one")
	}
	colour := d.at(t, "components", "schemas", "V4PostLetterRequest", "properties", "envelope-colour")
	if colour["minLength"] != 3.0 || colour["maxLength"] != 12.0 || !slices.Equal(texts(t, colour["x-aliases"]), []string{"colour"}) {
		t.Errorf("the parameter is described as %v", colour)
	}
	d.at(t, "components", "responses", "PostLetterResponse", "content", jsonType, "example")
	d.at(t, "paths", "/api/v4/post-letter/{endpointId}", "post", "callbacks", "notify_url")
	recall := d.at(t, "paths", "/api/v2/recall-letter/{endpointId}", "post")
	if !slices.Equal(texts(t, recall["x-control-sum"]), []string{"ENDPOINTID", "envelope-colour"}) {
		t.Errorf("the control sum is described as %v", recall["x-control-sum"])
	}
	for _, v := range verdicts(t, text, document(t, fictitious(), "en")) {
		for _, fault := range v.Faults {
			t.Errorf("%s", fault)
		}
	}
}
