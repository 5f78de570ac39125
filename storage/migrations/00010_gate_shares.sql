-- Nodes on one PostgreSQL share a gate: what its rail may be asked at once, and its rest
-- when it does not answer. Nothing of it is worth keeping.
CREATE TABLE gate_shares (
	gate_id BIGINT NOT NULL,
	node BIGINT NOT NULL,       -- a process, by a number that it has drawn
	calls BIGINT NOT NULL,      -- that it may have under way
	expires_us BIGINT NOT NULL, -- by the server's clock: it is gone, or cannot reach the database
	PRIMARY KEY (gate_id, node)
);
CREATE TABLE gate_rests (
	gate_id BIGINT PRIMARY KEY,
	rests BIGINT NOT NULL,    -- in a row; 0: its rail answers
	until_us BIGINT NOT NULL, -- end of the last one, by the server's clock
	version BIGINT NOT NULL   -- counts the changes
);
