package synth

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
)

// million is the unit of every probability here. A draw is an integer below a million, and it
// is compared with an integer: no result rests on the last bit of a float.
const million = 1_000_000

// A stream is an independent sequence of random numbers, named by what it is for, so that
// blocks of work can be done in any order by any number of threads with the same result.
type stream struct{ rand.PCG }

// stream is that of a purpose in this part of the register. What is the same in all parts (areas,
// plans, activities) comes from newStream of the seed.
func (w *world) stream(purpose string, block int) *stream {
	if w.part > 0 {
		purpose = fmt.Sprintf("%s, part %d", purpose, w.part)
	}
	return newStream(w.seed, purpose, block)
}

func newStream(seed uint64, purpose string, block int) *stream {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	s := new(stream)
	s.Seed(seed, h.Sum64()+uint64(block)*0x9e3779b97f4a7c15)
	return s
}

// below returns an integer in [0, n), n at most 2^31.
func (s *stream) below(n int) int { return int(s.Uint64() >> 33 * uint64(n) >> 31) }

// chance is true with probability ppm / million.
func (s *stream) chance(ppm int) bool { return s.below(million) < ppm }

// pick returns an index with probability in proportion to its weight.
func (s *stream) pick(weights []int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	k := s.below(total)
	for i, w := range weights {
		if k -= w; k < 0 {
			return i
		}
	}
	panic("synth: no weight is positive")
}

// normal returns a number with mean 0 and standard deviation 1000, from the sum of four uniform
// 16-bit integers; beyond 3400 it is never.
func (s *stream) normal() int {
	u := s.Uint64()
	sum := int(u&0xffff) + int(u>>16&0xffff) + int(u>>32&0xffff) + int(u>>48)
	const mean, deviation = 2 * 0xffff, 37837 // 65536 * sqrt(4 / 12)
	return (sum - mean) * 1000 / deviation
}

// shuffle permutes the list.
func (s *stream) shuffle(list []int32) {
	for i := len(list) - 1; i > 0; i-- {
		j := s.below(i + 1)
		list[i], list[j] = list[j], list[i]
	}
}

const (
	logitBound = 8000
	logBound   = 3000
)

// logisticPPM holds the logistic function per million at -8, -7.999, … 8, and expPPM the
// exponential at -3, -2.999, … 3. Processors differ in the last bit of math.Exp; no entry is
// near enough to a rounding boundary for that to show (TestTablesAreTheSameEverywhere).
var (
	logisticPPM [2*logitBound + 1]int32
	expPPM      [2*logBound + 1]int32
)

func init() {
	for i := range logisticPPM {
		logisticPPM[i] = int32(math.Floor(exactLogistic(i) + 0.5))
	}
	for i := range expPPM {
		expPPM[i] = int32(math.Floor(exactExp(i) + 0.5))
	}
}

func exactLogistic(i int) float64 {
	return million / (1 + math.Exp(float64(logitBound-i)/1000))
}

func exactExp(i int) float64 { return million * math.Exp(float64(i-logBound)/1000) }

// logistic returns 1 / (1 + e^-x) per million, where x is in thousandths.
func logistic(x int) int { return int(logisticPPM[min(max(x, -logitBound), logitBound)+logitBound]) }

// exponential returns e^x per million, where x is in thousandths.
func exponential(x int) int { return int(expPPM[min(max(x, -logBound), logBound)+logBound]) }

// largestCut returns the largest x in [lo, hi] for which count(x) is at most target; count must
// not fall as x grows. It returns lo if even count(lo) is above the target.
func largestCut(lo, hi, target int, count func(x int) int) int {
	for lo < hi {
		mid := lo + (hi-lo+1)/2
		if count(mid) <= target {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// apportion splits total in proportion to the weights by largest remainders; the parts sum to
// total exactly. Ties go to the lower index.
func apportion(total int, weights []int) []int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	parts, order, rest := make([]int, len(weights)), make([]int, len(weights)), total
	remainder := make([]int, len(weights))
	for i, w := range weights {
		parts[i] = total * w / sum
		remainder[i] = total * w % sum
		rest -= parts[i]
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainder[b], remainder[a]) })
	for _, i := range order[:rest] {
		parts[i]++
	}
	return parts
}
