-- Registered cards. A reference is random and belongs to one party; a deleted
-- one stays, so that the history can be read, but its card is forgotten.
CREATE TABLE card_refs (
	id BIGINT PRIMARY KEY,
	party_id BIGINT NOT NULL REFERENCES parties (id),
	order_id BIGINT NOT NULL, -- whose card was registered
	unique_id BIGINT NOT NULL, -- the same for the same card of the party
	card_sealed {{bytes}} NOT NULL, -- empty when deleted
	card_mask TEXT NOT NULL,
	created_us BIGINT NOT NULL,
	deleted_us BIGINT NOT NULL -- 0: it can be used
);
CREATE INDEX card_refs_of_party ON card_refs (party_id, created_us);
