-- Callbacks get their numbers as orders do: who makes one knows it at once, and can
-- deliver it without looking for it.
INSERT INTO counters (name, next) SELECT 'callback', coalesce(max(id), 0) + 1 FROM callbacks;
