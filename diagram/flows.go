package diagram

import "payout"

// The participants.
var (
	receiver  = payout.T("Receiver", "Получатель")
	connected = payout.T("Connecting Party", "Присоединяющаяся Сторона")
	gateway   = payout.T("payoutd", "payoutd")
	rail      = payout.T("Payment rail", "Платёжный канал")
)

// flows are the sequence diagrams of the documentation.
var flows = []flow{payoutForm, twoStep, cardDeposit}

var payoutForm = func() flow {
	const r, cp, gw = 0, 1, 2
	return flow{
		name:  "payout-form",
		title: payout.T("A payout by form", "Выплата через форму"),
		who:   []payout.Text{receiver, connected, gateway},
		steps: []step{
			{kind: begin, text: payout.T("If the Receiver starts it", "Если начинает Получатель")},
			{ask, r, cp, payout.T("Wants to be paid", "Хочет получить деньги")},
			{kind: end},
			{kind: part, text: payout.T("The order is made", "Создаётся заказ")},
			{ask, cp, gw, payout.T("v4/payout-form", "v4/payout-form")},
			{reply, gw, cp, payout.T("paynet-order-id, redirect-url", "paynet-order-id, redirect-url")},
			{reply, cp, r, payout.T("Sends the browser to redirect-url", "Отправляет браузер на redirect-url")},
			{kind: part, text: payout.T("The Receiver says where to", "Получатель указывает реквизиты")},
			{ask, r, gw, payout.T("Opens redirect-url", "Открывает redirect-url")},
			{reply, gw, r, payout.T("The form", "Форма выплаты")},
			{ask, r, gw, payout.T("Sends the form", "Отправляет форму")},
			{reply, gw, r, payout.T("The page that waits", "Страница ожидания")},
			{ask, gw, gw, payout.T("Has the rail pay", "Проводит выплату")},
			{kind: part, text: payout.T("The browser returns", "Браузер возвращается")},
			{reply, gw, r, payout.T("The outcome, and the way back", "Итог и дорога обратно")},
			{ask, r, cp, payout.T("POST to redirect_url: status, orderid, control", "POST на redirect_url: status, orderid, control")},
			{kind: begin, text: payout.T("The final status, by either way", "Итоговый статус, любым из двух путей")},
			{kind: part, text: payout.T("Callback", "Обратный вызов")},
			{ask, gw, cp, payout.T("GET server_callback_url: status, control", "GET server_callback_url: status, control")},
			{reply, cp, gw, payout.T("HTTP 200", "HTTP 200")},
			{kind: part, text: payout.T("Status, every 3 to 5 seconds", "Запрос статуса, раз в 3–5 секунд")},
			{ask, cp, gw, payout.T("v4/status or v2/status", "v4/status или v2/status")},
			{reply, gw, cp, payout.T("status, order-stage", "status, order-stage")},
			{kind: end},
			{kind: begin, text: payout.T("If the Receiver is to know", "Если нужно показать Получателю")},
			{reply, cp, r, payout.T("Shows the result", "Показывает результат")},
			{kind: end},
		},
	}
}()

var twoStep = func() flow {
	const cp, gw, bank = 0, 1, 2
	return flow{
		name:  "two-step",
		title: payout.T("A payout in two steps", "Выплата в два шага"),
		who:   []payout.Text{connected, gateway, rail},
		steps: []step{
			{kind: part, text: payout.T("Step 1: can it be paid?", "Шаг 1: можно ли заплатить?")},
			{ask, cp, gw, payout.T("v4/payout-check", "v4/payout-check")},
			{reply, gw, cp, payout.T("paynet-order-id", "paynet-order-id")},
			{ask, gw, bank, payout.T("Check the payout", "Проверить выплату")},
			{reply, bank, gw, payout.T("It can be paid", "Можно платить")},
			{kind: begin, text: payout.T("Every 5 seconds, until the check is done", "Раз в 5 секунд, пока идёт проверка")},
			{ask, cp, gw, payout.T("v4/status", "v4/status")},
			{reply, gw, cp, payout.T("order-stage", "order-stage")},
			{kind: end},
			{ask, cp, cp, payout.T("Decides. No money has left yet", "Решает. Деньги ещё не ушли")},
			{kind: part, text: payout.T("Step 2: pay", "Шаг 2: выплата")},
			{ask, cp, gw, payout.T("v4/payout-pay", "v4/payout-pay")},
			{reply, gw, cp, payout.T("The same paynet-order-id", "Тот же paynet-order-id")},
			{ask, gw, bank, payout.T("Pay", "Заплатить")},
			{reply, bank, gw, payout.T("Paid", "Выплачено")},
			{ask, gw, cp, payout.T("Callback: status, control", "Обратный вызов: status, control")},
			{reply, cp, gw, payout.T("HTTP 200", "HTTP 200")},
		},
	}
}()

var cardDeposit = func() flow {
	const cp, gw, bank = 0, 1, 2
	return flow{
		name:  "card-deposit",
		title: payout.T("A deposit to a card", "Зачисление на карту"),
		who:   []payout.Text{connected, gateway, rail},
		steps: []step{
			{kind: part, text: payout.T("Step 1: an initial payment with the card", "Шаг 1: первый платёж картой")},
			{ask, cp, gw, payout.T("v2/account-verification, v2/sale or v2/preauth", "v2/account-verification, v2/sale или v2/preauth")},
			{reply, gw, cp, payout.T("paynet-order-id", "paynet-order-id")},
			{ask, gw, bank, payout.T("Verify or charge the card", "Проверить карту или списать с неё")},
			{reply, bank, gw, payout.T("Approved", "Одобрено")},
			{ask, gw, cp, payout.T("Callback: approved", "Обратный вызов: approved")},
			{reply, cp, gw, payout.T("HTTP 200", "HTTP 200")},
			{kind: part, text: payout.T("Step 2: a reference instead of the number", "Шаг 2: ссылка вместо номера")},
			{ask, cp, gw, payout.T("v4/create-card-ref", "v4/create-card-ref")},
			{reply, gw, cp, payout.T("card-ref-id", "card-ref-id")},
			{kind: part, text: payout.T("Step 3: pay the card, as often as needed", "Шаг 3: выплаты на карту, сколько нужно")},
			{ask, cp, gw, payout.T("v4/payout-by-ref or v4/transfer-by-ref", "v4/payout-by-ref или v4/transfer-by-ref")},
			{reply, gw, cp, payout.T("paynet-order-id", "paynet-order-id")},
			{ask, gw, bank, payout.T("Pay", "Заплатить")},
			{reply, bank, gw, payout.T("Paid", "Выплачено")},
			{ask, gw, cp, payout.T("Callback: approved", "Обратный вызов: approved")},
			{reply, cp, gw, payout.T("HTTP 200", "HTTP 200")},
		},
	}
}()
