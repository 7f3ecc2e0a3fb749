package web

import "sync"

const (
	// A document takes some thirty times the bytes of its text.
	documentBytes   = 512 << 10
	longestDocument = 128 << 10

	answerBytes   = 32 << 20
	longestAnswer = 1 << 20

	// About what keeping an entry takes beside its bytes.
	entryBytes = 256
)

// memory remembers what was put into it or asked of it lately, in two generations of `most` / 2
// bytes each. When the younger is full it becomes the older, and what the older held is forgotten.
// Many may use it at once.
type memory[V any] struct {
	most, longest int // bytes, of all and of one

	mu          sync.Mutex
	size        int // of the younger, in bytes
	young, aged map[string]sized[V]
}

type sized[V any] struct {
	value V
	size  int
}

func (m *memory[V]) get(key string) (value V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if kept, ok := m.young[key]; ok {
		return kept.value, true
	}
	kept, ok := m.aged[key]
	if ok {
		m.add(key, kept)
	}
	return kept.value, ok
}

// put remembers the value, which takes size bytes with its key, unless that is too long.
func (m *memory[V]) put(key string, value V, size int) {
	if size > m.longest {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(key, sized[V]{value, size + entryBytes})
}

func (m *memory[V]) add(key string, kept sized[V]) {
	if _, ok := m.young[key]; ok { // two asked at once
		return
	}
	if m.young == nil || m.size+kept.size > m.most/2 {
		m.young, m.aged, m.size = map[string]sized[V]{}, m.young, 0
	}
	m.young[key] = kept
	m.size += kept.size
}
