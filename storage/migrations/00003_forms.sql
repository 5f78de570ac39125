-- The Receiver's pages. Orders may wait at the form: SQLite cannot change a
-- CHECK, so the table is made anew, on both engines alike.
CREATE TABLE new_orders (
	id {{id}},
	party_id BIGINT NOT NULL,
	endpoint_id BIGINT NOT NULL,
	group_id BIGINT NOT NULL,
	command TEXT NOT NULL,
	type TEXT NOT NULL,
	client_orderid TEXT NOT NULL,
	repeat_no BIGINT NOT NULL,
	currency TEXT NOT NULL,
	amount_minor BIGINT NOT NULL CHECK (amount_minor > 0 OR amount_minor = 0 AND type = 'account-verification'),
	params_sealed {{bytes}} NOT NULL,
	receiver_mask TEXT NOT NULL,
	receiver_hash {{bytes}} NOT NULL,
	stage TEXT NOT NULL CHECK (stage = 'at_form' OR stage = 'checking' OR stage = 'held' OR stage = 'starting' OR stage = 'sending'
		OR stage = 'pending' OR stage = 'doubtful' OR stage = 'approved' OR stage = 'declined' OR stage = 'failed'),
	version BIGINT NOT NULL,
	gate_position BIGINT NOT NULL,
	gate_id BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	polls BIGINT NOT NULL,
	error_code BIGINT NOT NULL,
	error_message TEXT NOT NULL,
	serial BIGINT NOT NULL,
	remote_address TEXT NOT NULL,
	note TEXT NOT NULL,
	created_us BIGINT NOT NULL,
	final_us BIGINT NOT NULL,
	expires_us BIGINT NOT NULL,
	due_us BIGINT NOT NULL,
	CHECK ((final_us > 0) = (stage = 'approved' OR stage = 'declined' OR stage = 'failed')),
	CHECK ((due_us = 0) = (final_us > 0))
);
INSERT INTO new_orders (id, party_id, endpoint_id, group_id, command, type, client_orderid, repeat_no, currency, amount_minor, params_sealed, receiver_mask, receiver_hash, stage, version, gate_position, gate_id, attempts, polls, error_code, error_message, serial, remote_address, note, created_us, final_us, expires_us, due_us)
	SELECT id, party_id, endpoint_id, group_id, command, type, client_orderid, repeat_no, currency, amount_minor, params_sealed, receiver_mask, receiver_hash, stage, version, gate_position, gate_id, attempts, polls, error_code, error_message, serial, remote_address, note, created_us, final_us, expires_us, due_us FROM orders;
DROP TABLE orders;
ALTER TABLE new_orders RENAME TO orders;
CREATE UNIQUE INDEX orders_of_client ON orders (party_id, client_orderid, repeat_no);
CREATE INDEX orders_due ON orders (gate_id, due_us) WHERE due_us > 0;
CREATE INDEX orders_sent_due ON orders (gate_id, due_us) WHERE due_us > 0 AND stage <> 'starting';

-- Which order a form's address leads to. The address has a token that only the
-- gateway can make; here is its hash.
CREATE TABLE forms (
	token_hash {{bytes}} PRIMARY KEY, -- first 16 bytes of SHA-256
	order_id BIGINT NOT NULL
) {{without rowid}};

-- Which final order a receipt is of.
CREATE TABLE receipts (
	receipt_id TEXT PRIMARY KEY,
	order_id BIGINT NOT NULL
) {{without rowid}};

-- How an endpoint's pages look.
ALTER TABLE endpoints ADD COLUMN brand_name TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN accent TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE endpoints ADD COLUMN logo {{bytes}};

-- What acquirers tell of a charge besides.
ALTER TABLE transactions ADD COLUMN eci TEXT NOT NULL DEFAULT '';
ALTER TABLE transactions ADD COLUMN advice TEXT NOT NULL DEFAULT ''; -- motivational-message

-- Whether a gate asks the Receiver for what a payout leaves out.
ALTER TABLE gates ADD COLUMN ask_receiver BOOLEAN NOT NULL DEFAULT FALSE;
