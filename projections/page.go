package projections

import "iter"

// A Page is some rows of a list and the cursor of the rest; an empty cursor
// says that there is no more. A page may be short, even empty, and have a rest.
type Page[T any] struct {
	Items []T
	Next  string
}

// Bounds of the number of items of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Limit is n within the bounds of a page: 100 if it is not positive, 1000 at most.
func Limit(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return min(n, maxLimit)
}

// Collect makes a page of at most limit items out of rows that follow the
// query's order. Item makes an item of a row; ok is false if the row is not wanted.
func Collect[K, V, T any](rows iter.Seq2[Row[K, V], error], q Query, limit int, item func(Row[K, V]) (it T, ok bool, err error)) (Page[T], error) {
	var page Page[T]
	var last []byte
	for row, err := range rows {
		if err != nil {
			return Page[T]{}, err
		}
		if len(page.Items) == limit {
			page.Next = q.Cursor(last)
			break
		}
		it, ok, err := item(row)
		if err != nil {
			return Page[T]{}, err
		}
		if ok {
			page.Items = append(page.Items, it)
		}
		last = append(last[:0], row.Suffix...)
	}
	return page, nil
}
