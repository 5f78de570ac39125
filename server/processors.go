package server

import (
	"errors"

	"payout/processor"
	"payout/processor/simulator"
)

// openProcessors opens every connector, by the name that gates use, and returns
// how to close them.
func openProcessors(c Config) (map[string]processor.Processor, func() error, error) {
	rail, err := simulator.Open(c.SimulatorBook, simulator.Options{Now: now})
	if err != nil {
		return nil, nil, err
	}
	all := map[string]processor.Processor{
		"simulator": rail,
	}
	return all, func() error { return errors.Join(rail.Close()) }, nil
}

// ProcessorNames lists the connectors' names, for those who set gates up.
func ProcessorNames() []string { return []string{"simulator"} }
