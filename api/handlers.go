package api

import (
	"context"
	"strconv"
	"time"

	"payout"
	"payout/gateway"
	"payout/spec"
)

// payout answers the commands that create an order.
func (h *Handler) payout(ctx context.Context, e *exchange, r *spec.Request) (*spec.Reply, error) {
	pay := h.Pay
	if pay == nil {
		pay = h.Gateway.Payout
	}
	order, err := pay(ctx, &e.Call, r)
	if err != nil {
		return nil, err
	}
	return asyncReply(e, order), nil
}

// payoutPay answers payout-pay.
func (h *Handler) payoutPay(ctx context.Context, e *exchange, r *spec.Request) (*spec.Reply, error) {
	order, err := h.Gateway.PayoutPay(ctx, &e.Call, r)
	if err != nil {
		return nil, err
	}
	return asyncReply(e, order), nil
}

// payoutForm answers payout-form (seed 1.8).
func (h *Handler) payoutForm(ctx context.Context, e *exchange, r *spec.Request) (*spec.Reply, error) {
	order, err := h.Gateway.Payout(ctx, &e.Call, r)
	if err != nil {
		return nil, err
	}
	return spec.FormReply.New().
		Set(spec.FieldSerial, e.Serial.String()).
		Set(spec.FieldMerchantOrder, order.ClientOrderID).
		Set(spec.FieldPaynetOrder, order.ID.String()).
		Set(spec.FieldRedirectURL, h.formAddress(e, order)).
		Set(spec.FieldEndpoint, order.EndpointID.String()), nil
}

// formAddress is where the Receiver's browser finds an order's form.
func (h *Handler) formAddress(e *exchange, o *payout.Order) string {
	return h.publicURL(e.r) + h.ContextPath + "/form/" + h.Gateway.FormToken(o.ID)
}

// asyncReply is the answer to a request that the gateway works on from now.
func asyncReply(e *exchange, o *payout.Order) *spec.Reply {
	return spec.AsyncReply.New().
		Set(spec.FieldSerial, e.Serial.String()).
		Set(spec.FieldMerchantOrder, o.ClientOrderID).
		Set(spec.FieldPaynetOrder, o.ID.String()).
		Set(spec.FieldEndpoint, o.EndpointID.String())
}

// createCardRef answers both create-card-ref commands (seed 1.1.5).
func (h *Handler) createCardRef(ctx context.Context, e *exchange, r *spec.Request) (*spec.Reply, error) {
	ref, order, err := h.Gateway.CreateCardRef(ctx, &e.Call, r)
	if err != nil {
		return nil, err
	}
	return spec.CardRefReply.New().
		Set(spec.FieldSerial, e.Serial.String()).
		Set(spec.FieldStatus, string(payout.StatusApproved)).
		Set(spec.FieldCardRef, ref.ID.String()).
		Set(spec.FieldUniqueCard, ref.Unique.String()).
		Set(spec.FieldEndpoint, order.EndpointID.String()), nil
}

// status answers both status commands.
func (h *Handler) status(ctx context.Context, e *exchange, r *spec.Request) (*spec.Reply, error) {
	stand := h.Stand
	if stand == nil {
		stand = h.Gateway.Status
	}
	s, err := stand(ctx, &e.Call, r)
	if err != nil {
		return nil, err
	}
	reply := h.statusReply(e, r, s)
	if s.Order.Stage == payout.AtForm {
		reply.Set(spec.FieldRedirectTo, h.formAddress(e, s.Order))
	}
	return reply, nil
}

// statusReply tells where an order stands (seed 1.1.5).
func (h *Handler) statusReply(e *exchange, r *spec.Request, s gateway.Standing) *spec.Reply {
	o := s.Order
	text := func(p *spec.Param) string { return o.Params[p.Name] }
	customer := gateway.CustomerOf(o)
	reply := spec.StatusReply.New().
		Set(spec.FieldSerial, e.Serial.String()).
		Set(spec.FieldMerchantOrder, o.ClientOrderID).
		Set(spec.FieldPaynetOrder, o.ID.String()).
		Set(spec.FieldStatus, string(o.Stage.Status())).
		Set(spec.FieldAmount, o.Amount.String()).
		Set(spec.FieldCurrency, o.Amount.Currency.Code()).
		Set(spec.FieldTransactionType, string(o.Type)).
		Set(spec.FieldReceipt, string(s.Receipt)).
		Set(spec.FieldEmail, customer.Email).
		Set(spec.FieldLastName, customer.LastName).
		Set(spec.FieldFirstName, customer.FirstName).
		Set(spec.FieldOrderStage, o.Stage.OrderStage(o.Type)).
		Set(spec.FieldPhone, customer.Phone).
		Set(spec.FieldPurpose, text(spec.Purpose)).
		Set(spec.FieldByRequestSN, r.Text(spec.ByRequestSN)).
		Set(spec.FieldInitialAmount, o.Amount.String()).
		Set(spec.FieldMerchantData, text(spec.MerchantData)).
		Set(spec.FieldTransactionDate, h.date(o.FinalAt))
	if card := o.Card(); o.Type.Charges() && !o.Archived {
		reply.Set(spec.FieldBIN, card.BIN()).
			Set(spec.FieldLastFour, card.LastFour()).
			Set(spec.FieldCardType, string(card.Brand())).
			Set(spec.FieldCardHash, s.Card.String()).
			Set(spec.FieldCardholder, text(spec.CardPrintedName)).
			Set(spec.FieldExpireMonth, text(spec.ExpireMonth)).
			Set(spec.FieldExpireYear, text(spec.ExpireYear))
	} else if card != "" {
		reply.Set(spec.FieldDestBIN, card.BIN()).
			Set(spec.FieldDestLastFour, card.LastFour()).
			Set(spec.FieldDestCardType, string(card.Brand())).
			Set(spec.FieldDestCardHash, s.Card.String())
	}
	if s.Gate != nil {
		reply.Set(spec.FieldDescriptor, s.Gate.Descriptor).Set(spec.FieldOrigDescriptor, s.Gate.Descriptor)
	}
	if t := s.Transaction; t != nil {
		reply.Set(spec.FieldProcessorTxID, t.ProcessorTxID).
			Set(spec.FieldRRN, t.RRN).
			Set(spec.FieldApprovalCode, t.ApprovalCode).
			Set(spec.FieldECI, t.ECI).
			Set(spec.FieldMotivational, t.Advice).
			Set(spec.FieldProcessingDate, h.date(t.EndedAt))
	}
	if o.ErrorCode != 0 {
		reply.Set(spec.FieldErrorMessage, o.ErrorMessage).
			Set(spec.FieldErrorCode, strconv.Itoa(int(o.ErrorCode)))
	}
	return reply
}

// date writes a time as 2015-04-06 22:00:27 MSK (seed 1.1.5); empty for none.
func (h *Handler) date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	zone := h.Location
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("2006-01-02 15:04:05 MST")
}
