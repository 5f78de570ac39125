-- Counters hand out blocks of numbers; 'config' counts changes of the set-up.
CREATE TABLE counters (
	name TEXT PRIMARY KEY,
	next BIGINT NOT NULL
);
INSERT INTO counters (name, next) VALUES ('serial', 1), ('order', 1000001), ('config', 1);

CREATE TABLE parties (
	id {{serial}},
	login TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	control_key_sealed {{bytes}} NOT NULL,
	enabled BOOLEAN NOT NULL,
	created_us BIGINT NOT NULL
);

CREATE TABLE party_keys (
	party_id BIGINT NOT NULL REFERENCES parties (id),
	fingerprint TEXT NOT NULL,
	public_pem TEXT NOT NULL,
	enabled BOOLEAN NOT NULL,
	created_us BIGINT NOT NULL,
	PRIMARY KEY (party_id, fingerprint)
);

CREATE TABLE projects (
	id {{serial}},
	name TEXT NOT NULL UNIQUE,
	enabled BOOLEAN NOT NULL
);

CREATE TABLE gates (
	id {{serial}},
	name TEXT NOT NULL UNIQUE,
	processor TEXT NOT NULL,
	currencies TEXT NOT NULL,       -- JSON list; empty list: any
	settings_sealed {{bytes}} NOT NULL, -- JSON object
	required TEXT NOT NULL,         -- JSON list of Conditional parameters
	concurrency BIGINT NOT NULL CHECK (concurrency > 0),
	descriptor TEXT NOT NULL,
	enabled BOOLEAN NOT NULL
);

CREATE TABLE endpoints (
	id {{serial}},
	party_id BIGINT NOT NULL REFERENCES parties (id),
	project_id BIGINT NOT NULL REFERENCES projects (id),
	name TEXT NOT NULL,
	currency TEXT NOT NULL, -- empty: any that the gates take
	repeat_policy TEXT NOT NULL CHECK (repeat_policy IN ('replay', 'allow')),
	callback_url_sealed {{bytes}} NOT NULL,
	enabled BOOLEAN NOT NULL
);

CREATE TABLE endpoint_gates (
	endpoint_id BIGINT NOT NULL REFERENCES endpoints (id),
	position BIGINT NOT NULL,
	gate_id BIGINT NOT NULL REFERENCES gates (id),
	PRIMARY KEY (endpoint_id, position)
);

CREATE TABLE endpoint_groups (
	id {{serial}},
	party_id BIGINT NOT NULL REFERENCES parties (id),
	name TEXT NOT NULL,
	enabled BOOLEAN NOT NULL
);

CREATE TABLE endpoint_group_members (
	group_id BIGINT NOT NULL REFERENCES endpoint_groups (id),
	position BIGINT NOT NULL,
	endpoint_id BIGINT NOT NULL REFERENCES endpoints (id),
	PRIMARY KEY (group_id, position)
);

-- A nonce is used once per party until it expires with its timestamp's window.
-- Expired ones are found by walking through the table: an index would cost
-- every request.
CREATE TABLE nonces (
	party_id BIGINT NOT NULL,
	nonce {{bytes}} NOT NULL, -- first 16 bytes of SHA-256
	expires_us BIGINT NOT NULL,
	PRIMARY KEY (party_id, nonce)
) {{without rowid}};

-- Requests are kept with their order: one tree finds them by order, and by
-- order and serial-number. Refused ones have order 0. The request that created
-- an order is in the order's own row: a second row would cost every order.
CREATE TABLE requests (
	order_id BIGINT NOT NULL,
	serial BIGINT NOT NULL,
	party_id BIGINT NOT NULL,
	endpoint_id BIGINT NOT NULL,
	group_id BIGINT NOT NULL,
	command TEXT NOT NULL,
	client_orderid TEXT NOT NULL,
	error_code BIGINT NOT NULL,
	error_message TEXT NOT NULL,
	note TEXT NOT NULL,
	remote_address TEXT NOT NULL,
	at_us BIGINT NOT NULL,
	PRIMARY KEY (order_id, serial)
) {{without rowid}};

-- The checks are spelled with OR: SQLite makes a table of every IN list of three
-- or more, for every row.

-- repeat_no is 0 where a client_orderid may occur once, and the order's own id
-- where repeats are allowed: one index guards and finds.
CREATE TABLE orders (
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
	params_sealed {{bytes}} NOT NULL, -- JSON object of what was asked
	receiver_mask TEXT NOT NULL,
	receiver_hash {{bytes}} NOT NULL,
	stage TEXT NOT NULL CHECK (stage = 'checking' OR stage = 'held' OR stage = 'starting' OR stage = 'sending'
		OR stage = 'pending' OR stage = 'doubtful' OR stage = 'approved' OR stage = 'declined' OR stage = 'failed'),
	version BIGINT NOT NULL,
	gate_position BIGINT NOT NULL,
	gate_id BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	polls BIGINT NOT NULL,
	error_code BIGINT NOT NULL,
	error_message TEXT NOT NULL,
	serial BIGINT NOT NULL, -- of the request that created it, as the next two
	remote_address TEXT NOT NULL,
	note TEXT NOT NULL,
	created_us BIGINT NOT NULL,
	final_us BIGINT NOT NULL,   -- 0: not final
	expires_us BIGINT NOT NULL, -- 0: never
	due_us BIGINT NOT NULL,     -- 0: nothing to do; also the end of a claim's lease
	CHECK ((final_us > 0) = (stage = 'approved' OR stage = 'declined' OR stage = 'failed')),
	CHECK ((due_us = 0) = (final_us > 0))
);
CREATE UNIQUE INDEX orders_of_client ON orders (party_id, client_orderid, repeat_no);
CREATE INDEX orders_due ON orders (gate_id, due_us) WHERE due_us > 0;
CREATE INDEX orders_sent_due ON orders (gate_id, due_us) WHERE due_us > 0 AND stage <> 'starting';

CREATE TABLE transactions (
	order_id BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	gate_id BIGINT NOT NULL,
	reference TEXT NOT NULL,
	stage TEXT NOT NULL,
	processor_tx_id TEXT NOT NULL,
	rrn TEXT NOT NULL,
	approval_code TEXT NOT NULL,
	error_code BIGINT NOT NULL,
	error_message TEXT NOT NULL,
	started_us BIGINT NOT NULL,
	ended_us BIGINT NOT NULL, -- 0: it runs
	PRIMARY KEY (order_id, attempt)
) {{without rowid}};

-- The history of orders. Rows are only ever added.
CREATE TABLE moves (
	order_id BIGINT NOT NULL,
	version BIGINT NOT NULL,
	event TEXT NOT NULL,
	from_stage TEXT NOT NULL,
	to_stage TEXT NOT NULL,
	at_us BIGINT NOT NULL,
	serial BIGINT NOT NULL, -- request that caused it, or 0
	note TEXT NOT NULL,
	PRIMARY KEY (order_id, version)
) {{without rowid}};

CREATE TABLE callbacks (
	id {{serial}},
	order_id BIGINT NOT NULL,
	receiver TEXT NOT NULL, -- host:port
	url_sealed {{bytes}} NOT NULL,
	attempts BIGINT NOT NULL,
	state TEXT NOT NULL CHECK (state = 'due' OR state = 'delivered' OR state = 'given_up'),
	created_us BIGINT NOT NULL,
	due_us BIGINT NOT NULL, -- 0: nothing more is owed
	CHECK ((due_us > 0) = (state = 'due'))
);
CREATE INDEX callbacks_due ON callbacks (due_us) WHERE due_us > 0;
CREATE INDEX callbacks_of_order ON callbacks (order_id);

CREATE TABLE callback_attempts (
	callback_id BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	at_us BIGINT NOT NULL,
	duration_us BIGINT NOT NULL,
	http_status BIGINT NOT NULL,
	error TEXT NOT NULL,
	PRIMARY KEY (callback_id, attempt)
) {{without rowid}};
