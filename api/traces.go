package api

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	"payout"
	"payout/gateway"
	"payout/spec"
)

// traced ends the span of a request, if it has one. No attribute is a parameter of
// the request, but the command.
func (e *exchange) traced(verdict payout.Verdict, status int, code payout.ErrCode) {
	if e.span == nil {
		return
	}
	command := unknownCommand
	if e.route.command != nil {
		command = e.route.command.Path()
	}
	e.span.SetName(command)
	e.span.SetAttributes(attribute.String("payoutd.command", command), attribute.String("payoutd.verdict", string(verdict)),
		attribute.String("payoutd.serial", e.Serial.String()), attribute.Int("http.response.status_code", status))
	if code != 0 {
		e.span.SetAttributes(attribute.Int("payoutd.error_code", int(code)))
	}
	if e.reply != nil {
		if id, err := payout.ParseOrderID(e.reply.Get(spec.FieldPaynetOrder)); err == nil {
			e.span.SetAttributes(attribute.String(gateway.OrderAttribute, id.String()))
		}
	}
	switch verdict {
	case payout.VerdictBusy, payout.VerdictFailed:
		e.span.SetStatus(codes.Error, "")
	}
	e.span.End()
}
