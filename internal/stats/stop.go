package stats

// Stop ends a computation before it is done: it returns why, and from then on always, or nil to go on.
// The nil Stop never does. It is the Err of a context, usually. An estimator asks between passes over
// its input, some thousands of rows apart in the longest, and returns what Stop returned.
type Stop func() error

func (s Stop) why() error {
	if s == nil {
		return nil
	}
	return s()
}

func (s Stop) now() bool { return s.why() != nil }

// end, deferred, has an estimator that was stopped return why, whatever it made of what was left undone.
func (s Stop) end(err *error) {
	if why := s.why(); why != nil {
		*err = why
	}
}
