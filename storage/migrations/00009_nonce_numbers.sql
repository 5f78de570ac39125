-- A nonce is a number beside its timestamp: PostgreSQL compares and stores two numbers
-- for less than a timestamp, a party and sixteen bytes.
-- Nonces from before are forgotten: no release has stored any.
DROP TABLE nonces;
CREATE TABLE nonces (
	timestamp_s BIGINT NOT NULL, -- oauth_timestamp
	nonce BIGINT NOT NULL,       -- of the party and its nonce, see Nonce.number in storage/nonces.go
	expires_us BIGINT NOT NULL,
	PRIMARY KEY (timestamp_s, nonce)
) {{without rowid}};
