-- PostgreSQL vacuums a table when a fifth of its rows has changed. Until then its
-- indexes keep what was due, and the larger the table, the more of it.
{{postgres only}}ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.02);
{{postgres only}}ALTER TABLE transactions SET (autovacuum_vacuum_scale_factor = 0.02);
{{postgres only}}ALTER TABLE callbacks SET (autovacuum_vacuum_scale_factor = 0.02);
