package storage

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Trace has a span made for each commit. It is called once, before the first write.
func (db *DB) Trace(t trace.Tracer) { db.commits.tracer.Store(&t) }

// trace begins the span of a commit; the function that it returns ends it.
func (c *committer) trace(writes int, rows *countingConn) func(error) {
	tracer := c.tracer.Load()
	if tracer == nil {
		return func(error) {}
	}
	_, span := (*tracer).Start(context.Background(), "commit", trace.WithAttributes(attribute.Int("payoutd.writes", writes)))
	return func(err error) {
		end := endOf(err)
		span.SetAttributes(attribute.Int("payoutd.rows", rows.rows), attribute.String("payoutd.end", commitEnds[end]))
		if end != endStored {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
