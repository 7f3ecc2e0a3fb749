// Package deadline says how long a test may wait: by the time that is left to the tests, since a
// machine may be busy, and never by a time of its own.
package deadline

import (
	"testing"
	"time"
)

// Of is shortly before the tests are given up; in an hour if they never are.
func Of(t testing.TB) time.Time {
	if limited, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if end, ok := limited.Deadline(); ok {
			return end.Add(-10 * time.Second)
		}
	}
	return time.Now().Add(time.Hour)
}

// Patience is how long a test bears with what should take no time: a tenth of what is left.
func Patience(t testing.TB) time.Duration { return time.Until(Of(t)) / 10 }

// Until asks again and again, without haste, until something is reached, and fails the test if it
// never is.
func Until(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for end := Of(t); !reached(); time.Sleep(20 * time.Millisecond) { // what it waits for wants the processor
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}
