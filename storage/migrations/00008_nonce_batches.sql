-- SQLite keeps the nonces of a commit in one row, and those of all rows in memory;
-- PostgreSQL, whose nodes do not see each other's memory, has one row in nonces for each.
-- There, on SQLite, are those that are kept for long.
CREATE TABLE nonce_batches (
	id {{serial}},
	timestamp_s BIGINT NOT NULL, -- the oldest oauth_timestamp among them
	expires_us BIGINT NOT NULL,  -- when the last one expires
	number BIGINT NOT NULL,
	nonces {{bytes}} NOT NULL -- one after the other, see appendNonce in storage/nonces.go
);
