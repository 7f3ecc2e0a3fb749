package cells

import "math"

// Numbers is a list of whole numbers, each held in as few bytes as the widest of them takes: most counts
// of a fine roll-up are below 256, and so are most codes. The zero Numbers is an empty list.
type Numbers struct{ list numbers }

// Len is how many numbers there are.
func (n *Numbers) Len() int {
	if n.list == nil {
		return 0
	}
	return n.list.length()
}

// Append adds numbers at the end; room is how many the list is going to have, as far as known.
func (n *Numbers) Append(values []int64, room int) {
	if n.list == nil {
		n.list = make(list[uint8], 0, room)
	}
	var low, high int64
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	switch {
	case low < 0 || high > math.MaxUint32:
		n.list = widened[int64](n.list, 8)
	case high > math.MaxUint16:
		n.list = widened[uint32](n.list, 4)
	case high > math.MaxUint8:
		n.list = widened[uint16](n.list, 2)
	}
	n.list = n.list.with(values)
}

// numbers is a list of one width. What is done to every row is done here, so that it is compiled for each
// width.
type numbers interface {
	length() int
	room() int
	bytes() int
	with(values []int64) numbers
	at(i int) int64

	// span returns the least and the largest from one row to another, of which there is one at least.
	span(from, to int) span
	// recode puts another code in the place of each.
	recode(to []uint32)
	// sift leaves those of the rows whose code is kept: keeps is 1 for these, 0 for others.
	sift(b *batch, keeps []uint8)
	// place adds to the id of each row the place that its code has.
	place(ids []uint64, b *batch, places []uint64)
	// sum adds the number of each row to the sum of its group.
	sum(sums []int64, b *batch)
}

type list[T uint8 | uint16 | uint32 | int64] []T

// widened returns the list with so many bytes for each number, if it has fewer.
func widened[T uint8 | uint16 | uint32 | int64](of numbers, bytes int) numbers {
	if of.bytes() >= bytes {
		return of
	}
	out := make(list[T], of.length(), max(of.room(), 1))
	for i := range out {
		out[i] = T(of.at(i))
	}
	return out
}

func (l list[T]) length() int { return len(l) }

func (l list[T]) room() int { return cap(l) }

func (l list[T]) bytes() int {
	switch any(l).(type) {
	case list[uint8]:
		return 1
	case list[uint16]:
		return 2
	case list[uint32]:
		return 4
	}
	return 8
}

func (l list[T]) with(values []int64) numbers {
	for _, v := range values {
		l = append(l, T(v))
	}
	return l
}

func (l list[T]) at(i int) int64 { return int64(l[i]) }

func (l list[T]) span(from, to int) span {
	low, high := l[from], l[from]
	for _, code := range l[from:to] {
		low, high = min(low, code), max(high, code)
	}
	return span{uint32(low), uint32(high)}
}

func (l list[T]) recode(to []uint32) {
	for i, code := range l {
		l[i] = T(to[code])
	}
}

func (l list[T]) sift(b *batch, keeps []uint8) {
	codes, n := l[b.from:b.to], 0
	for _, row := range b.rows {
		b.rows[n] = row // written over by the next, unless it is kept
		n += int(keeps[codes[row]])
	}
	b.rows = b.rows[:n]
}

func (l list[T]) place(ids []uint64, b *batch, places []uint64) {
	codes := l[b.from:b.to]
	if b.rows == nil {
		codes = codes[:len(ids)]
		for i := range ids {
			ids[i] += places[codes[i]]
		}
		return
	}
	for i, row := range b.rows {
		ids[i] += places[codes[row]]
	}
}

func (l list[T]) sum(sums []int64, b *batch) {
	values := l[b.from:b.to]
	switch {
	case b.rows == nil && b.runs == nil:
		values = values[:len(b.groups)]
		for i, g := range b.groups {
			sums[g] += int64(values[i])
		}
	case b.runs == nil:
		for i, g := range b.groups {
			sums[g] += int64(values[b.rows[i]])
		}
	case b.rows == nil:
		for k, from := range b.runs[:len(b.runs)-1] {
			var sum int64
			for _, v := range values[from:b.runs[k+1]] {
				sum += int64(v)
			}
			sums[b.groups[from]] += sum
		}
	default:
		for k, from := range b.runs[:len(b.runs)-1] {
			var sum int64
			for _, row := range b.rows[from:b.runs[k+1]] {
				sum += int64(values[row])
			}
			sums[b.groups[from]] += sum
		}
	}
}

// SquareList is a list of sums of squares, each in three parts of 32 bits and what is above: the parts add up
// without a carry, and few cells have anything in the last.
type SquareList struct{ parts [3]Numbers }

// Append adds sums at the end; room is as of Numbers.
func (q *SquareList) Append(values []Square, room int) {
	parts := make([]int64, len(values))
	for k := range q.parts {
		for i, s := range values {
			parts[i] = s.part(k)
		}
		q.parts[k].Append(parts, room)
	}
}

func (s Square) part(k int) int64 {
	switch k {
	case 0:
		return int64(s.Low & math.MaxUint32)
	case 1:
		return int64(s.Low >> 32)
	}
	return int64(s.High)
}

// squareOfParts is the sum whose parts the numbers add up to; none is negative.
func squareOfParts(low, middle, high int64) Square {
	return Square{Low: uint64(low)}.Plus(Square{High: uint64(middle) >> 32, Low: uint64(middle) << 32}).
		Plus(Square{High: uint64(high)})
}
