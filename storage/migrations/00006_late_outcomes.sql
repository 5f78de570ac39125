-- What a rail told too late: another worker had moved the order meanwhile. Kept as
-- evidence, for people to look at. Rows are only ever added.
CREATE TABLE late_outcomes (
	id {{serial}},
	order_id BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	gate_id BIGINT NOT NULL,
	seen_stage TEXT NOT NULL, -- of the order, when the rail was called
	result TEXT NOT NULL,
	processor_tx_id TEXT NOT NULL,
	rrn TEXT NOT NULL,
	error_code BIGINT NOT NULL,
	error_message TEXT NOT NULL,
	at_us BIGINT NOT NULL
);
CREATE INDEX late_outcomes_of_order ON late_outcomes (order_id);
