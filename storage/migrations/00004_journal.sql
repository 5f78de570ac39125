-- The journal: the latest requests of each party, for its own people to look at.
-- Its key is the serial-number: sealed columns are walked through by id.
CREATE TABLE journal (
	id {{id}},
	party_id BIGINT NOT NULL,
	share TEXT NOT NULL CHECK (share = 'changes' OR share = 'reads' OR share = 'unproven'),
	at_us BIGINT NOT NULL,
	took_us BIGINT NOT NULL,
	command TEXT NOT NULL,
	endpoint_id BIGINT NOT NULL,
	group_id BIGINT NOT NULL,
	client_orderid TEXT NOT NULL,
	order_id BIGINT NOT NULL,
	verdict TEXT NOT NULL CHECK (verdict = 'ok' OR verdict = 'refused' OR verdict = 'denied' OR verdict = 'busy' OR verdict = 'failed'),
	http_status BIGINT NOT NULL,
	error_code BIGINT NOT NULL,
	reason TEXT NOT NULL, -- why it was denied
	remote_address TEXT NOT NULL,
	missed BIGINT NOT NULL, -- requests of the share before this one that were not kept
	content_sealed {{bytes}} NOT NULL -- JSON object: parameters and reply, masked
);
CREATE INDEX journal_of_party ON journal (party_id, share, at_us, id);

-- What is not in the journal is found by its serial-number here. Requests that
-- were refused have order 0, and the primary key finds them.
CREATE INDEX orders_by_serial ON orders (serial);
CREATE INDEX requests_by_serial ON requests (serial) WHERE order_id > 0;

-- Who may look at a party's panel.
CREATE TABLE panel_tokens (
	id {{serial}},
	party_id BIGINT NOT NULL REFERENCES parties (id),
	name TEXT NOT NULL,
	token_hash {{bytes}} NOT NULL UNIQUE, -- SHA-256
	created_us BIGINT NOT NULL,
	expires_us BIGINT NOT NULL,
	used_us BIGINT NOT NULL,   -- the latest sign-in; 0: never
	revoked_us BIGINT NOT NULL -- 0: it is good
);

-- A callback is sent again when somebody asks for it: not while it is under
-- way, and not all the time.
ALTER TABLE callbacks ADD COLUMN leased_us BIGINT NOT NULL DEFAULT 0; -- end of the lease of the delivery under way
ALTER TABLE callbacks ADD COLUMN asked_us BIGINT NOT NULL DEFAULT 0;  -- when it was last asked for
CREATE TABLE callback_resends (
	callback_id BIGINT NOT NULL,
	at_us BIGINT NOT NULL,
	asked_by TEXT NOT NULL,
	PRIMARY KEY (callback_id, at_us)
) {{without rowid}};
