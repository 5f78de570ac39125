-- A nonce is used once per party and timestamp (RFC 5849 section 3.3): both are
-- signed, so a request that is sent again has the same. Rows that are written
-- together stand together, and expire together at the beginning of the table.
-- Nonces from before are forgotten: no release has stored any.
DROP TABLE nonces;
CREATE TABLE nonces (
	timestamp_s BIGINT NOT NULL, -- oauth_timestamp
	party_id BIGINT NOT NULL,
	nonce {{bytes}} NOT NULL, -- first 16 bytes of SHA-256
	expires_us BIGINT NOT NULL,
	PRIMARY KEY (timestamp_s, party_id, nonce)
) {{without rowid}};
