package simulator

import (
	"context"
	"errors"
	"fmt"

	"payout"
)

// PaidByOrder counts the payments of every order that was paid; 2 and more are
// double payments. Accepted payments whose time has come are decided first.
func (s *Simulator) PaidByOrder(ctx context.Context) (map[payout.OrderID]int, error) {
	now := s.now()
	paid := make(map[payout.OrderID]int)
	err := s.book.write(ctx, func() (err error) {
		if err := s.book.decideDue(now); err != nil {
			return err
		}
		stmt, err := s.book.prepare(`SELECT order_id, COUNT(*) FROM payments WHERE state = 'paid' GROUP BY order_id`)
		if err != nil {
			return err
		}
		rows, err := stmt.QueryContext(context.Background())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var (
				id    payout.OrderID
				count int
			)
			if err := rows.Scan(&id, &count); err != nil {
				return err
			}
			paid[id] = count
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("count the payments in the simulator's book: %w", err)
	}
	return paid, nil
}
