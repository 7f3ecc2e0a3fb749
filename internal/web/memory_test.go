package web

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestMemoryKeepsWhatIsAsked(t *testing.T) {
	m := memory[int]{most: 20 * (entryBytes + 10), longest: 10} // ten in each generation
	m.put("asked", -1, 10)
	for i := range 100 {
		m.put(fmt.Sprint(i), i, 10)
		if i%5 == 0 {
			if v, ok := m.get("asked"); !ok || v != -1 {
				t.Fatalf("after %d others: %d, %t", i, v, ok)
			}
		}
	}
	if v, ok := m.get("99"); !ok || v != 99 {
		t.Errorf("the last: %d, %t", v, ok)
	}
	if _, ok := m.get("50"); ok {
		t.Error("the fiftieth of a hundred is still there")
	}
	if m.put("long", 0, 11); len(m.young) == 0 {
		t.Error("what is too long made room")
	}
	if _, ok := m.get("long"); ok {
		t.Error("what is too long is remembered")
	}
}

// However it is used, it holds no more bytes than it may, and never the value of another key.
func TestMemoryIsBounded(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	m := memory[int]{most: 100_000, longest: 5_000}
	for range 100_000 {
		n := random.IntN(1000)
		key := fmt.Sprint(n)
		if v, ok := m.get(key); ok && v != n {
			t.Fatalf("asked for %d, got %d", n, v)
		} else if !ok || n%7 == 0 {
			m.put(key, n, n*6)
		}
		held := 0
		for _, generation := range []map[string]sized[int]{m.young, m.aged} {
			for _, kept := range generation {
				held += kept.size
			}
		}
		if held > m.most {
			t.Fatalf("holds %d bytes, may hold %d", held, m.most)
		}
	}
}
