package gateway

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"payout"
	"payout/callback"
	"payout/processor"
)

// OrderAttribute is the attribute by which the spans of one order are found: of
// its requests, of the calls to rails and of its callbacks. They are traces of
// their own, because hours and machines may lie between them.
const OrderAttribute = "payoutd.order"

// traceCall begins the span of a call to a rail; the function that it returns
// ends it. No attribute tells what is paid or to whom.
func (g *Gateway) traceCall(ctx context.Context, gate *payout.Gate, o *payout.Order) (context.Context, func(processor.Outcome)) {
	if g.Tracer == nil {
		return ctx, func(processor.Outcome) {}
	}
	ctx, span := g.Tracer.Start(ctx, "rail "+string(o.Stage), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String(OrderAttribute, o.ID.String()), attribute.Int("payoutd.attempt", o.Attempts),
		attribute.String("payoutd.gate", gate.Name), attribute.String("payoutd.stage", string(o.Stage))))
	return ctx, func(outcome processor.Outcome) {
		result := resultOf(outcome)
		span.SetAttributes(attribute.String("payoutd.result", string(result)))
		switch result {
		case processor.ResultLost, processor.ResultUnsent, processor.ResultBroken:
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// traceDelivery begins the span of a callback's delivery; the function that it
// returns ends it. Of the URL it has the host and port.
func (g *Gateway) traceDelivery(ctx context.Context, c payout.Callback) (context.Context, func(callback.Result, payout.CallbackState)) {
	if g.Tracer == nil {
		return ctx, func(callback.Result, payout.CallbackState) {}
	}
	ctx, span := g.Tracer.Start(ctx, "callback", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String(OrderAttribute, c.OrderID.String()), attribute.Int("payoutd.attempt", c.Attempts+1),
		attribute.String("payoutd.receiver", c.Receiver)))
	return ctx, func(r callback.Result, state payout.CallbackState) {
		span.SetAttributes(attribute.Int("http.response.status_code", r.HTTPStatus), attribute.String("payoutd.state", string(state)))
		if !r.Delivered {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
