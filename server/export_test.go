package server

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Descriptions describes every metric of a server, whether it has a value or not.
func Descriptions(ctx context.Context, c Config) ([]string, error) {
	s, err := closed(ctx, c)
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

// AtOnce is how many requests of the API a server answers at once.
func AtOnce(ctx context.Context, c Config) (int, error) {
	s, err := closed(ctx, c)
	if err != nil {
		return 0, err
	}
	return s.signed.AtOnce, s.close()
}

// closed is a server whose doors are closed.
func closed(ctx context.Context, c Config) (*server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return assemble(ctx, c, slog.New(slog.DiscardHandler))
}
