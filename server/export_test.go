package server

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Descriptions describes every metric of a server, whether it has a value or not.
func Descriptions(ctx context.Context, c Config) ([]string, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := assemble(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	found := make(chan *prometheus.Desc)
	go func() { s.metrics.Describe(found); close(found) }()
	var texts []string
	for desc := range found {
		texts = append(texts, desc.String())
	}
	return texts, s.close()
}
